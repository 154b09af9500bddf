/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-http-response-private.h"

#include <string.h>

#include "vt-http-fields-private.h"

#define MAX_HEAD (64 * 1024)

#define STATUS_SWITCHING 101
#define STATUS_NO_CONTENT 204
#define STATUS_NOT_MODIFIED 304

void
vt_http_response_begin (VtHttpResponse *self, gboolean to_head, gboolean may_switch)
{
  vt_http_response_clear (self);
  self->to_head = to_head;
  self->may_switch = may_switch;
}

void
vt_http_response_clear (VtHttpResponse *self)
{
  g_clear_pointer (&self->held, g_byte_array_unref);
  *self = (VtHttpResponse){ 0 };
}

/* "HTTP/1.1 200 OK": the text may be missing, as may the space before it. */
static gboolean
read_status (const char **at, const char *end, unsigned int *status, gboolean *is_http_1_0)
{
  const char *line = *at;
  const char *line_end = memchr (line, '\r', end - line);

  if (line_end == NULL || line_end[1] != '\n' || line_end - line < 12
      || memcmp (line, "HTTP/1.", 7) != 0 || (line[7] != '0' && line[7] != '1') || line[8] != ' '
      || (line_end > line + 12 && line[12] != ' '))
    return FALSE;
  for (const char *digit = line + 9; digit < line + 12; digit++)
    {
      if (!g_ascii_isdigit (*digit))
        return FALSE;
      *status = *status * 10 + (unsigned int) g_ascii_digit_value (*digit);
    }
  for (const char *text = line + 12; text < line_end; text++)
    if ((uint8_t) *text < ' ' && *text != '\t')
      return FALSE;
  *is_http_1_0 = line[7] == '0';
  *at = line_end + 2;
  return *status >= 100;
}

/* RFC 9112, 6.3. */
static void
begin_body (VtHttpResponse *self, unsigned int status, const VtHttpFraming *framing)
{
  const VtHttpBody body = { framing->has_coding, framing->length, TRUE };

  if (self->to_head || status == STATUS_NO_CONTENT || status == STATUS_NOT_MODIFIED)
    self->done = TRUE;
  else if (framing->has_coding ? !framing->ends_chunked : !framing->has_length)
    self->until_end = TRUE;
  else if (!body.chunked && body.length == 0)
    self->done = TRUE;
  else
    vt_http_body_walk_begin (&self->body, &body);
}

/* FALSE if the head, which is all there, is no good. */
static gboolean
read_head (VtHttpResponse *self, const uint8_t *head, size_t length)
{
  const char *at = (const char *) head;
  const char *end = at + length;
  VtHttpFraming framing = { 0 };
  unsigned int status = 0;
  gboolean is_http_1_0;
  VtHttpField field;

  if (!read_status (&at, end, &status, &is_http_1_0))
    return FALSE;
  while (end - at > 2)
    if (!vt_http_field_read (&at, end, &field) || !vt_http_framing_add (&framing, &field))
      return FALSE;
  if (!vt_http_framing_is_clear (&framing, is_http_1_0))
    return FALSE;

  if (status == STATUS_SWITCHING)
    {
      self->switched = self->begun = self->may_switch;
      return self->may_switch;
    }
  self->begun = status >= 200;
  if (!self->begun)
    return TRUE;
  begin_body (self, status, &framing);
  self->persistent = !self->until_end && vt_http_framing_is_persistent (&framing, is_http_1_0);
  return TRUE;
}

static VtHttpResponseStep
hold (VtHttpResponse *self, const uint8_t *data, size_t length, size_t *taken)
{
  size_t before = self->held->len;
  size_t end;

  *taken = MIN (length, MAX_HEAD - before);
  g_byte_array_append (self->held, data, (unsigned int) *taken);
  end = vt_http_head_find_end (self->held->data, self->held->len, &self->seen);
  if (end == 0)
    return self->held->len < MAX_HEAD ? VT_HTTP_RESPONSE_HOLD : VT_HTTP_RESPONSE_BROKEN;
  *taken = end - before;
  g_byte_array_set_size (self->held, (unsigned int) end);
  self->seen = 0;
  return read_head (self, self->held->data, end) ? VT_HTTP_RESPONSE_HELD : VT_HTTP_RESPONSE_BROKEN;
}

static VtHttpResponseStep
walk_head (VtHttpResponse *self, const uint8_t *data, size_t length, size_t *taken)
{
  size_t end;

  if (self->held == NULL)
    {
      end = vt_http_head_find_end (data, length, &self->seen);
      self->seen = 0;
      if (end > 0)
        {
          *taken = end;
          return end <= MAX_HEAD && read_head (self, data, end) ? VT_HTTP_RESPONSE_PASS
                                                                : VT_HTTP_RESPONSE_BROKEN;
        }
      self->held = g_byte_array_new ();
    }
  return hold (self, data, length, taken);
}

static VtHttpResponseStep
walk_body (VtHttpResponse *self, const uint8_t *data, size_t length, size_t *taken)
{
  VtHttpBodyStep step;

  *taken = length;
  if (self->until_end || self->switched)
    return VT_HTTP_RESPONSE_PASS;
  step = vt_http_body_walk_push (&self->body, data, length, taken);
  self->done = step == VT_HTTP_BODY_END;
  return step == VT_HTTP_BODY_BROKEN ? VT_HTTP_RESPONSE_BROKEN : VT_HTTP_RESPONSE_PASS;
}

VtHttpResponseStep
vt_http_response_walk (VtHttpResponse *self, const uint8_t *data, size_t length, size_t *taken)
{
  VtHttpResponseStep step;
  size_t n_head;

  if (self->begun)
    return walk_body (self, data, length, taken);
  step = walk_head (self, data, length, taken);
  n_head = *taken;
  if (step != VT_HTTP_RESPONSE_PASS || !self->begun || self->done || n_head == length)
    return step;
  /* What is behind the head leaves with it, in one piece. */
  step = walk_body (self, data + n_head, length - n_head, taken);
  *taken += n_head;
  return step;
}
