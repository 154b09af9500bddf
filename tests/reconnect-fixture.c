/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "reconnect-fixture.h"

#include <stdint.h>
#include <string.h>

#include "vt-codec-binary-private.h"

#define GRANTED_V2 "{\"type\":\"listen_ok\",\"id\":1,\"address\":\"127.0.0.1\",\"port\":9000}"

void
reconnect_set_up (ReconnectFixture *self, const void *data)
{
  client_fixture_set_up (&self->base, data);
  g_object_set (self->base.client, "reconnect", TRUE, "reconnect-min", 0.004, "reconnect-max", 0.02,
                NULL);
}

void
reconnect_tear_down (ReconnectFixture *self, const void *data)
{
  client_fixture_tear_down (&self->base, data);
}

void
reconnect_begin_v1 (ReconnectFixture *self)
{
  client_fixture_begin (&self->base);
}

void
reconnect_drop_link (ReconnectFixture *self)
{
  self->received += raw_link_get_counted (self->base.link);
  g_clear_pointer (&self->base.link, raw_link_free);
}

void
reconnect_accept (ReconnectFixture *self, const char *subprotocol)
{
  g_autofree char *head = NULL;

  if (self->base.link != NULL)
    reconnect_drop_link (self);
  self->base.link = raw_server_wait_link (self->base.server);
  head = raw_link_read_head (self->base.link);
  raw_link_upgrade_to (self->base.link, head, subprotocol, NULL);
}

char *
reconnect_accept_hello (ReconnectFixture *self)
{
  char *hello;

  reconnect_accept (self, "vtunnel.v2");
  hello = raw_link_read_text (self->base.link);
  g_assert_true (hello != NULL && g_str_has_prefix (hello, "{\"type\":\"hello\","));
  return hello;
}

void
reconnect_welcome (ReconnectFixture *self,
                   gboolean resumed,
                   guint64 received,
                   unsigned int resume_timeout)
{
  g_autofree char *position = g_strdup_printf ("\"received\":%" G_GUINT64_FORMAT ",", received);
  g_autofree char *text = g_strdup_printf (
      "{\"type\":\"welcome\",\"session\":\"%s\",\"secret\":\"%s\",\"resumed\":%s,%s"
      "\"resume_timeout\":%u,\"window\":16384,\"max_frame\":65536,\"max_message\":262144}",
      resumed ? RECONNECT_SESSION : "CCCCCCCCCCCCCCCCCCCCCA",
      resumed ? RECONNECT_SECRET : "DDDDDDDDDDDDDDDDDDDDDA", resumed ? "true" : "false",
      resumed ? position : "", resume_timeout);

  raw_link_send_text (self->base.link, text);
}

void
reconnect_begin_v2 (ReconnectFixture *self, unsigned int resume_timeout)
{
  ClientFixture *base = &self->base;
  g_autofree char *hello = NULL;
  g_autofree char *welcome = g_strdup_printf (
      "{\"type\":\"welcome\",\"session\":\"" RECONNECT_SESSION "\",\"secret\":\"" RECONNECT_SECRET
      "\",\"resumed\":false,\"resume_timeout\":%u,\"window\":16384,\"max_frame\":65536,"
      "\"max_message\":262144}",
      resume_timeout);

  vt_client_open_async (base->client, NULL, open_cb, &base->open);
  hello = reconnect_accept_hello (self);
  g_assert_null (strstr (hello, "session"));
  raw_link_send_text (base->link, welcome);
  RAW_WAIT (base->open.done);
  g_assert_no_error (base->open.error);
  vt_client_listen_async (base->client, base->forward, NULL, listen_cb, &base->listen);
  reconnect_expect_start (self, "{\"type\":\"listen\",\"id\":1,");
  reconnect_send_text (self, GRANTED_V2);
  RAW_WAIT (base->listen.done);
  g_assert_no_error (base->listen.error);
}

void
reconnect_resume (ReconnectFixture *self)
{
  g_autofree char *hello = reconnect_accept_hello (self);
  g_autofree char *position = g_strdup_printf ("\"received\":%" G_GUINT64_FORMAT, self->sent);
  unsigned int n_resumed = vt_client_get_n_resumed (self->base.client);

  g_assert_nonnull (strstr (hello, "\"session\":\"" RECONNECT_SESSION "\""));
  g_assert_nonnull (strstr (hello, "\"secret\":\"" RECONNECT_SECRET "\""));
  g_assert_nonnull (strstr (hello, position));
  reconnect_welcome (self, TRUE, self->received, 60);
  RAW_WAIT (vt_client_get_n_resumed (self->base.client) == n_resumed + 1);
  g_assert_cmpint (vt_client_get_state (self->base.client), ==, VT_CLIENT_STATE_OPEN);
}

void
reconnect_cut (ReconnectFixture *self)
{
  /* What it has sent so far is read, and so counts as received. */
  raw_settle ();
  raw_link_reset (self->base.link);
  RAW_WAIT (vt_client_get_state (self->base.client) != VT_CLIENT_STATE_OPEN);
}

void
reconnect_say_goodbye (ReconnectFixture *self, unsigned int code)
{
  const uint8_t wordless[] = { 0x88, 0 };

  if (code != 0)
    raw_link_send_close (self->base.link, code, "");
  else
    raw_link_send (self->base.link, wordless, sizeof wordless);
  /* What comes back is libsoup's choice. */
  raw_link_read_close (self->base.link);
  reconnect_drop_link (self);
}

void
reconnect_refuse (ReconnectFixture *self, const char *status, const char *fields)
{
  g_autofree char *answer =
      g_strdup_printf ("HTTP/1.1 %s\r\n%sConnection: close\r\nContent-Length: 0\r\n\r\n", status,
                       fields);

  if (self->base.link != NULL)
    reconnect_drop_link (self);
  self->base.link = raw_server_wait_link (self->base.server);
  g_free (raw_link_read_head (self->base.link));
  raw_link_send (self->base.link, answer, strlen (answer));
  RAW_WAIT (raw_link_is_ended (self->base.link));
}

void
reconnect_send_text (ReconnectFixture *self, const char *text)
{
  raw_link_send_text (self->base.link, text);
  self->sent++;
}

void
reconnect_open_stream (ReconnectFixture *self, guint32 stream, guint32 listen_id)
{
  const VtBinaryAddress nowhere = { 0 };
  uint8_t frame[VT_BINARY_MAX_OPEN];

  raw_link_send_binary (self->base.link, frame,
                        vt_codec_binary_write_open (frame, stream, listen_id, &nowhere, &nowhere));
  self->sent++;
}

void
reconnect_send_data (ReconnectFixture *self, guint32 stream, const char *text)
{
  uint8_t frame[VT_BINARY_HEADER + 100];
  size_t length = strlen (text);

  g_assert_cmpuint (length, <=, 100);
  vt_codec_binary_write_data_header (frame, stream, length);
  memcpy (frame + VT_BINARY_HEADER, text, length);
  raw_link_send_binary (self->base.link, frame, VT_BINARY_HEADER + length);
  self->sent++;
}

static void
collect_data (GBytes *message, guint32 stream, GString *data)
{
  size_t length;
  const uint8_t *at = g_bytes_get_data (message, &length);
  const uint8_t *end = at + length;
  guint64 received;
  g_autoptr(GError) error = NULL;
  VtBinaryFrame frame;

  if (vt_codec_binary_read_ack (at, length, &received))
    return;
  while (at < end)
    {
      g_assert_true (vt_codec_binary_next (&at, end, 65536, &frame, &error));
      g_assert_no_error (error);
      g_assert_cmpint (frame.type, !=, VT_BINARY_RESET);
      if (frame.type == VT_BINARY_DATA && frame.stream == stream)
        g_string_append_len (data, (const char *) frame.payload, frame.length);
    }
}

void
reconnect_expect_data (ReconnectFixture *self, guint32 stream, const char *text)
{
  g_autoptr(GString) data = g_string_new (NULL);

  while (data->len < strlen (text))
    {
      g_autoptr(GBytes) message = raw_link_read_binary (self->base.link);

      collect_data (message, stream, data);
    }
  g_assert_cmpstr (data->str, ==, text);
}

void
reconnect_expect_start (ReconnectFixture *self, const char *start)
{
  g_autofree char *message = raw_link_read_text (self->base.link);

  g_assert_nonnull (message);
  if (!g_str_has_prefix (message, start))
    g_error ("Expected “%s…”, got “%s”", start, message);
}
