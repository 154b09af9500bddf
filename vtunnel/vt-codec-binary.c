/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-codec-binary-private.h"

#include <string.h>

#include "vt-error.h"
#include "vt-text-private.h"

/* In payloads: the listen of OPEN, the code of RESET, the number of CREDIT and ACK. */
#define LISTEN_SIZE 4
#define CODE_SIZE 4
#define COUNT_SIZE 8
/* What each address and each entry begins with: family and port, type and length. */
#define ADDRESS_HEAD 3
#define ENTRY_HEAD 4

/* Up to here the numbers on the wire are those of VtError. */
#define LAST_CODE VT_ERROR_NOT_RESUMED
G_STATIC_ASSERT (VT_ERROR_FAILED == 0 && VT_ERROR_LIMIT == 5 && LAST_CODE == 11);

static guint16
read_16 (const uint8_t *from)
{
  return (guint16) (from[0] << 8 | from[1]);
}

static guint32
read_32 (const uint8_t *from)
{
  guint32 value;

  memcpy (&value, from, sizeof value);
  return GUINT32_FROM_BE (value);
}

static guint64
read_64 (const uint8_t *from)
{
  guint64 value;

  memcpy (&value, from, sizeof value);
  return GUINT64_FROM_BE (value);
}

static void
write_16 (uint8_t *to, guint16 value)
{
  to[0] = (uint8_t) (value >> 8);
  to[1] = (uint8_t) value;
}

static void
write_32 (uint8_t *to, guint32 value)
{
  value = GUINT32_TO_BE (value);
  memcpy (to, &value, sizeof value);
}

static void
write_64 (uint8_t *to, guint64 value)
{
  value = GUINT64_TO_BE (value);
  memcpy (to, &value, sizeof value);
}

static void
write_header (uint8_t *to, VtBinaryType type, guint32 stream, guint32 length)
{
  to[0] = (uint8_t) type;
  memset (to + 1, 0, 3);
  write_32 (to + 4, stream);
  write_32 (to + 8, length);
}

/* Bytes of an address of the family; -1 if there is no such family. */
static int
get_address_size (uint8_t family)
{
  switch (family)
    {
    case 0:
      return 0;
    case 4:
      return 4;
    case 6:
      return 16;
    default:
      return -1;
    }
}

/* Where the address ends, NULL if it cannot be read. */
static const uint8_t *
read_address (const uint8_t *at, const uint8_t *end, VtBinaryAddress *address)
{
  int size = end - at < ADDRESS_HEAD ? -1 : get_address_size (at[0]);

  if (size < 0 || end - at - ADDRESS_HEAD < size)
    return NULL;

  *address = (VtBinaryAddress){ .family = at[0], .port = read_16 (at + 1) };
  memcpy (address->bytes, at + ADDRESS_HEAD, (size_t) size);
  return at + ADDRESS_HEAD + size;
}

static gboolean
read_open (const VtBinaryFrame *frame, VtBinaryOpen *open)
{
  const uint8_t *end = frame->payload + frame->length;
  const uint8_t *at = frame->payload + LISTEN_SIZE;

  *open = (VtBinaryOpen){ .listen_id = read_32 (frame->payload) };
  at = read_address (at, end, &open->user);
  if (at != NULL)
    at = read_address (at, end, &open->local);
  if (at != NULL && at < end)
    {
      open->entries = at;
      open->entries_length = (size_t) (end - at);
    }
  return at != NULL;
}

static gboolean
is_good_open (const VtBinaryFrame *frame)
{
  VtBinaryOpen open;
  VtBinaryEntry entry;
  const uint8_t *at, *end;

  if (!read_open (frame, &open))
    return FALSE;
  if (open.entries == NULL)
    return TRUE;

  at = open.entries;
  end = at + open.entries_length;
  while (vt_codec_binary_next_entry (&at, end, &entry))
    ;
  return at == end;
}

static gboolean
is_good_length (VtBinaryType type, guint32 length, guint32 max_frame)
{
  switch (type)
    {
    case VT_BINARY_OPEN:
      return length >= LISTEN_SIZE + 2 * ADDRESS_HEAD;
    case VT_BINARY_DATA:
      return length >= 1 && length <= max_frame;
    case VT_BINARY_RESET:
      return length >= CODE_SIZE && length <= CODE_SIZE + VT_BINARY_MAX_REASON;
    case VT_BINARY_CREDIT:
    case VT_BINARY_ACK:
      return length == COUNT_SIZE;
    case VT_BINARY_OPENED:
    case VT_BINARY_EOF:
    default:
      return length == 0;
    }
}

/* NULL if there is none. Static: a frame of a tunnel at full speed costs no memory. */
static const char *
find_problem (const VtBinaryFrame *frame, const uint8_t *header, size_t left, guint32 max_frame)
{
  if (header[0] < VT_BINARY_OPEN || header[0] > VT_BINARY_ACK)
    return "The type of a frame is not known";
  /* What is nothing but one never comes here. */
  if (header[0] == VT_BINARY_ACK)
    return "An acknowledgement is not alone, or malformed";
  if ((header[1] | header[2] | header[3]) != 0)
    return "A reserved bit of a frame is set";
  if (frame->stream == 0)
    return "A frame is of stream 0";
  if (!is_good_length (frame->type, frame->length, max_frame))
    return "The length of a frame is not its type's";
  if (frame->length > left - VT_BINARY_HEADER)
    return "A frame goes beyond its message";
  if (frame->type == VT_BINARY_OPEN && !is_good_open (frame))
    return "The payload of a frame cannot be read";
  return NULL;
}

gboolean
vt_codec_binary_next (const uint8_t **at,
                      const uint8_t *end,
                      guint32 max_frame,
                      VtBinaryFrame *frame,
                      GError **error)
{
  const uint8_t *header = *at;
  size_t left = (size_t) (end - header);
  const char *problem = "A frame's header goes beyond its message";

  if (left >= VT_BINARY_HEADER)
    {
      frame->type = (VtBinaryType) header[0];
      frame->stream = read_32 (header + 4);
      frame->length = read_32 (header + 8);
      frame->payload = frame->length == 0 ? NULL : header + VT_BINARY_HEADER;
      problem = find_problem (frame, header, left, max_frame);
    }
  if (problem != NULL)
    {
      /* Nobody but a log reads this, and the other side's. */
      g_set_error_literal (error, VT_ERROR, VT_ERROR_PROTOCOL, problem);
      *frame = (VtBinaryFrame){ 0 };
      return FALSE;
    }

  *at = header + VT_BINARY_HEADER + frame->length;
  return TRUE;
}

gboolean
vt_codec_binary_read_ack (const uint8_t *message, size_t length, guint64 *received)
{
  uint8_t header[VT_BINARY_HEADER];

  if (length != VT_BINARY_ACK_SIZE || message[0] != VT_BINARY_ACK)
    return FALSE;

  write_header (header, VT_BINARY_ACK, 0, COUNT_SIZE);
  if (memcmp (message, header, sizeof header) != 0)
    return FALSE;

  *received = read_64 (message + VT_BINARY_HEADER);
  return TRUE;
}

void
vt_codec_binary_read_open (const VtBinaryFrame *frame, VtBinaryOpen *open)
{
  gboolean good = read_open (frame, open);

  g_assert (good);
}

gboolean
vt_codec_binary_next_entry (const uint8_t **at, const uint8_t *end, VtBinaryEntry *entry)
{
  const uint8_t *head = *at;

  if (end - head < ENTRY_HEAD || end - head - ENTRY_HEAD < read_16 (head + 2))
    return FALSE;

  entry->type = read_16 (head);
  entry->length = read_16 (head + 2);
  entry->value = head + ENTRY_HEAD;
  *at = entry->value + entry->length;
  return TRUE;
}

guint64
vt_codec_binary_read_credit (const VtBinaryFrame *frame)
{
  return read_64 (frame->payload);
}

int
vt_codec_binary_read_reset (const VtBinaryFrame *frame, char **reason)
{
  guint32 code = read_32 (frame->payload);

  *reason = g_utf8_make_valid ((const char *) frame->payload + CODE_SIZE,
                               (gssize) frame->length - CODE_SIZE);
  return code > LAST_CODE ? VT_ERROR_FAILED : (int) code;
}

static uint8_t *
write_address (uint8_t *to, const VtBinaryAddress *address)
{
  int size = get_address_size (address->family);

  g_assert (size >= 0);
  to[0] = address->family;
  write_16 (to + 1, address->port);
  memcpy (to + ADDRESS_HEAD, address->bytes, (size_t) size);
  return to + ADDRESS_HEAD + size;
}

size_t
vt_codec_binary_write_open (uint8_t *to,
                            guint32 stream,
                            guint32 listen_id,
                            const VtBinaryAddress *user,
                            const VtBinaryAddress *local)
{
  uint8_t *payload = to + VT_BINARY_HEADER;
  uint8_t *end = write_address (payload + LISTEN_SIZE, user);

  end = write_address (end, local);
  write_32 (payload, listen_id);
  write_header (to, VT_BINARY_OPEN, stream, (guint32) (end - payload));
  return (size_t) (end - to);
}

size_t
vt_codec_binary_write_bare (uint8_t *to, VtBinaryType type, guint32 stream)
{
  write_header (to, type, stream, 0);
  return VT_BINARY_HEADER;
}

size_t
vt_codec_binary_write_credit (uint8_t *to, guint32 stream, guint64 limit)
{
  write_header (to, VT_BINARY_CREDIT, stream, COUNT_SIZE);
  write_64 (to + VT_BINARY_HEADER, limit);
  return VT_BINARY_CREDIT_SIZE;
}

size_t
vt_codec_binary_write_ack (uint8_t *to, guint64 received)
{
  write_header (to, VT_BINARY_ACK, 0, COUNT_SIZE);
  write_64 (to + VT_BINARY_HEADER, received);
  return VT_BINARY_ACK_SIZE;
}

size_t
vt_codec_binary_write_reset (uint8_t *to, guint32 stream, int code, const char *reason)
{
  g_autofree char *text = vt_text_fit (reason, VT_BINARY_MAX_REASON);
  size_t length = strlen (text);
  uint8_t *payload = to + VT_BINARY_HEADER;

  write_header (to, VT_BINARY_RESET, stream, (guint32) (CODE_SIZE + length));
  write_32 (payload, code < 0 || code > LAST_CODE ? VT_ERROR_FAILED : (guint32) code);
  memcpy (payload + CODE_SIZE, text, length);
  return VT_BINARY_HEADER + CODE_SIZE + length;
}

void
vt_codec_binary_write_data_header (uint8_t *to, guint32 stream, guint32 length)
{
  write_header (to, VT_BINARY_DATA, stream, length);
}
