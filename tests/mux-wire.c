/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "mux-wire.h"

#include <string.h>

#include "vt-error-private.h"
#include "vt-mux-address-private.h"

static const char *const names[] = {
  NULL, "OPEN", "OPENED", "DATA", "EOF", "RESET", "CREDIT", "ACK",
};

uint8_t
pattern_at (unsigned int seed, size_t offset)
{
  return (uint8_t) ((offset * 2654435761u + seed * 40503u) >> 13);
}

static void
describe_address (GString *to, const VtBinaryAddress *address)
{
  g_autoptr(GSocketAddress) gio = vt_mux_address_to_gio (address);
  g_autofree char *text =
      gio != NULL ? g_socket_connectable_to_string (G_SOCKET_CONNECTABLE (gio)) : g_strdup ("-");

  g_string_append_printf (to, " %s", text);
}

static void
describe_open (GString *to, const VtBinaryFrame *frame)
{
  VtBinaryOpen open;

  vt_codec_binary_read_open (frame, &open);
  g_string_append_printf (to, " on %u", open.listen_id);
  if (open.user.family == 0 && open.local.family == 0)
    return;
  describe_address (to, &open.user);
  describe_address (to, &open.local);
}

static void
describe_reset (GString *to, const VtBinaryFrame *frame)
{
  g_autofree char *reason = NULL;
  int code = vt_codec_binary_read_reset (frame, &reason);

  g_string_append_printf (to, " %s%s%s", vt_error_code_to_word (code), *reason != '\0' ? " " : "",
                          reason);
}

static void
describe_frame (GString *to, const VtBinaryFrame *frame)
{
  g_string_append_printf (to, "%s %u", names[frame->type], frame->stream);
  if (frame->type == VT_BINARY_OPEN)
    describe_open (to, frame);
  else if (frame->type == VT_BINARY_DATA)
    g_string_append_printf (to, " %u", frame->length);
  else if (frame->type == VT_BINARY_RESET)
    describe_reset (to, frame);
  else if (frame->type == VT_BINARY_CREDIT)
    g_string_append_printf (to, " %" G_GUINT64_FORMAT, vt_codec_binary_read_credit (frame));
}

static gboolean
next_frame (const uint8_t **at, const uint8_t *end, VtBinaryFrame *frame)
{
  g_autoptr(GError) error = NULL;

  if (*at == end)
    return FALSE;
  vt_codec_binary_next (at, end, G_MAXUINT32, frame, &error);
  g_assert_no_error (error);
  return TRUE;
}

void
wire_describe (GString *to, gboolean text, GBytes *message)
{
  size_t length;
  const uint8_t *at = g_bytes_get_data (message, &length);
  const uint8_t *end = at + length;
  VtBinaryFrame frame;
  guint64 received;

  if (text)
    g_string_append_len (to, (const char *) at, (gssize) length);
  else if (vt_codec_binary_read_ack (at, length, &received))
    g_string_append_printf (to, "ACK %" G_GUINT64_FORMAT, received);
  else
    for (unsigned int i = 0; next_frame (&at, end, &frame); i++)
      {
        g_string_append (to, i > 0 ? "; " : "");
        describe_frame (to, &frame);
      }
}

static void
write_data (GByteArray *to, guint32 stream, guint32 length)
{
  uint8_t header[VT_BINARY_HEADER];

  vt_codec_binary_write_data_header (header, stream, length);
  g_byte_array_append (to, header, sizeof header);
  g_byte_array_set_size (to, to->len + length);
  for (guint32 i = 0; i < length; i++)
    to->data[to->len - length + i] = pattern_at (stream, i);
}

static size_t
write_reset (uint8_t *place, guint32 stream, char **words)
{
  g_autofree char *reason = words[2] != NULL ? g_strjoinv (" ", words + 3) : NULL;
  int code = VT_ERROR_FAILED;

  if (words[2] != NULL)
    g_assert_true (vt_error_code_from_word (words[2], &code));
  return vt_codec_binary_write_reset (place, stream, code, reason);
}

static size_t
write_small (uint8_t *place, VtBinaryType type, guint32 stream, char **words)
{
  const VtBinaryAddress nowhere = { 0 };

  switch (type)
    {
    case VT_BINARY_OPEN:
      return vt_codec_binary_write_open (place, stream, (guint32) atoi (words[3]), &nowhere,
                                         &nowhere);
    case VT_BINARY_RESET:
      return write_reset (place, stream, words);
    case VT_BINARY_CREDIT:
      return vt_codec_binary_write_credit (place, stream, g_ascii_strtoull (words[2], NULL, 10));
    case VT_BINARY_ACK:
      return vt_codec_binary_write_ack (place, stream);
    case VT_BINARY_OPENED:
    case VT_BINARY_EOF:
    case VT_BINARY_DATA:
    default:
      return vt_codec_binary_write_bare (place, type, stream);
    }
}

static void
compose_frame (GByteArray *to, const char *text)
{
  g_auto(GStrv) words = g_strsplit (text, " ", -1);
  guint32 stream = (guint32) g_ascii_strtoull (words[1], NULL, 10);
  uint8_t place[VT_BINARY_MAX_RESET];
  VtBinaryType type = VT_BINARY_OPEN;

  while (strcmp (names[type], words[0]) != 0)
    g_assert_cmpint (++type, <=, VT_BINARY_ACK);
  if (type == VT_BINARY_DATA)
    write_data (to, stream, (guint32) atoi (words[2]));
  else
    g_byte_array_append (to, place, (unsigned int) write_small (place, type, stream, words));
}

GBytes *
wire_compose (const char *frames)
{
  g_auto(GStrv) texts = g_strsplit (frames, "; ", -1);
  GByteArray *message = g_byte_array_new ();

  for (unsigned int i = 0; texts[i] != NULL; i++)
    compose_frame (message, texts[i]);
  return g_byte_array_free_to_bytes (message);
}

void
wire_book_init (WireBook *self, gboolean is_server)
{
  *self = (WireBook){ .is_server = is_server };
  self->streams = g_hash_table_new_full (NULL, NULL, NULL, g_free);
}

void
wire_book_clear (WireBook *self)
{
  g_clear_pointer (&self->streams, g_hash_table_unref);
}

static WireStream *
find (WireBook *self, guint32 stream)
{
  return g_hash_table_lookup (self->streams, GUINT_TO_POINTER (stream));
}

const WireStream *
wire_book_get (WireBook *self, guint32 stream)
{
  return find (self, stream);
}

static void
add (WireBook *self, guint32 stream)
{
  WireStream *added = g_new0 (WireStream, 1);

  g_assert_cmpuint (stream, >, self->last_opened);
  self->last_opened = stream;
  added->limit = self->peer.window;
  added->granted = self->ours.window;
  added->said_opened = self->is_server;
  g_hash_table_insert (self->streams, GUINT_TO_POINTER (stream), added);
}

static void
check_data (WireBook *self, WireStream *stream, guint32 length)
{
  g_assert_true (stream->said_opened);
  g_assert_false (stream->said_eof);
  g_assert_cmpuint (length, <=, self->peer.max_frame);
  stream->sent += length;
  g_assert_cmpuint (stream->sent, <=, stream->limit);
}

/* Any frame of a stream but the one that opens it. */
static void
check_frame (WireBook *self, WireStream *stream, const VtBinaryFrame *frame)
{
  g_assert_nonnull (stream);
  g_assert_false (stream->said_reset);
  switch (frame->type)
    {
    case VT_BINARY_OPENED:
      g_assert_false (stream->said_opened);
      stream->said_opened = TRUE;
      break;
    case VT_BINARY_DATA:
      check_data (self, stream, frame->length);
      break;
    case VT_BINARY_EOF:
      g_assert_true (stream->said_opened && !stream->said_eof);
      stream->said_eof = TRUE;
      break;
    case VT_BINARY_RESET:
      stream->said_reset = TRUE;
      break;
    case VT_BINARY_CREDIT:
      g_assert_cmpuint (vt_codec_binary_read_credit (frame), >, stream->granted);
      stream->granted = vt_codec_binary_read_credit (frame);
      break;
    case VT_BINARY_OPEN:
    case VT_BINARY_ACK:
    default:
      g_assert_not_reached ();
    }
}

void
wire_book_note_sent (WireBook *self, gboolean text, GBytes *message)
{
  size_t length;
  const uint8_t *at = g_bytes_get_data (message, &length);
  const uint8_t *end = at + length;
  VtBinaryFrame frame;

  g_assert_cmpuint (length, >, 0);
  g_assert_cmpuint (length, <=, self->peer.max_message);
  while (!text && next_frame (&at, end, &frame))
    {
      self->n_frames[frame.type]++;
      if (frame.type != VT_BINARY_OPEN)
        {
          check_frame (self, find (self, frame.stream), &frame);
          continue;
        }
      g_assert_true (self->is_server);
      add (self, frame.stream);
    }
}

/* What came before the mux has seen it: what it sends then can only know less. */
void
wire_book_note_came (WireBook *self, gboolean text, GBytes *message)
{
  size_t length;
  const uint8_t *at = g_bytes_get_data (message, &length);
  const uint8_t *end = at + length;
  VtBinaryFrame frame;

  while (!text && next_frame (&at, end, &frame))
    {
      WireStream *stream = find (self, frame.stream);

      if (frame.type == VT_BINARY_OPEN)
        add (self, frame.stream);
      else if (frame.type == VT_BINARY_CREDIT)
        stream->limit = MAX (stream->limit, vt_codec_binary_read_credit (&frame));
      else if (frame.type == VT_BINARY_DATA)
        stream->came += frame.length;
    }
}
