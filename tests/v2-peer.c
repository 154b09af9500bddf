/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "v2-peer.h"

#include <string.h>

#include "vt-codec-control-private.h"

#define HEADER 12
#define LIMITS "\"window\":16384,\"max_frame\":65536,\"max_message\":262144"

V2Peer *
v2_peer_arrive_with (guint16 port, const char *path, const char *lines)
{
  V2Peer *self = g_new0 (V2Peer, 1);
  g_autofree char *answer = NULL;

  self->frames = g_byte_array_new ();
  self->lines = g_strconcat ("Sec-WebSocket-Protocol: vtunnel.v2\r\n", lines, NULL);
  self->raw = raw_peer_new (port);
  answer = raw_peer_ask_for_upgrade (self->raw, path, self->lines);
  if (!g_str_has_prefix (answer, "HTTP/1.1 101 "))
    g_error ("No upgrade: %s", answer);
  return self;
}

V2Peer *
v2_peer_arrive (guint16 port, const char *path)
{
  return v2_peer_arrive_with (port, path, "");
}

V2Peer *
v2_peer_enter (guint16 port)
{
  V2Peer *self = v2_peer_arrive (port, "/");

  v2_peer_greet (self);
  return self;
}

static void
decode (const char *text, VtControl *control)
{
  g_autoptr(GBytes) bytes = g_bytes_new (text, strlen (text));
  g_autoptr(GError) error = NULL;

  vt_codec_control_decode (bytes, VT_JSON_MAX_DEPTH, control, &error);
  g_assert_no_error (error);
}

void
v2_peer_read_welcome (V2Peer *self)
{
  g_autofree char *text = raw_peer_read_text (self->raw);
  g_auto(VtControl) welcome = { 0 };

  g_assert_nonnull (text);
  decode (text, &welcome);
  g_assert_cmpint (welcome.type, ==, VT_CONTROL_WELCOME);
  g_free (self->session);
  g_free (self->secret);
  self->session = g_steal_pointer (&welcome.session);
  self->secret = g_steal_pointer (&welcome.secret);
  self->resumed = welcome.resumed;
  self->known = welcome.received;
  self->resume_timeout = welcome.resume_timeout;
  if (!self->resumed)
    self->received = self->sent = 0;
}

void
v2_peer_greet (V2Peer *self)
{
  raw_peer_send_message (self->raw, "{\"type\":\"hello\",\"agent\":\"test\"," LIMITS "}");
  v2_peer_read_welcome (self);
  g_assert_false (self->resumed);
}

void
v2_peer_break (V2Peer *self)
{
  g_clear_pointer (&self->raw, raw_peer_free);
  g_byte_array_set_size (self->frames, 0);
}

RawPeer *
v2_peer_ask_to_return (V2Peer *self, guint16 port, const char *path, guint64 attempt)
{
  g_autofree char *said =
      attempt > 0 ? g_strdup_printf (",\"attempt\":%" G_GUINT64_FORMAT, attempt) : g_strdup ("");
  g_autofree char *hello =
      g_strdup_printf ("{\"type\":\"hello\",\"session\":\"%s\",\"secret\":\"%s\","
                       "\"received\":%" G_GUINT64_FORMAT "%s," LIMITS "}",
                       self->session, self->secret, self->received, said);
  RawPeer *raw = raw_peer_new (port);
  g_autofree char *answer = raw_peer_ask_for_upgrade (raw, path, self->lines);

  g_assert_true (g_str_has_prefix (answer, "HTTP/1.1 101 "));
  raw_peer_send_message (raw, hello);
  return raw;
}

void
v2_peer_return (V2Peer *self, guint16 port, guint64 attempt)
{
  RawPeer *raw = v2_peer_ask_to_return (self, port, "/", attempt);

  v2_peer_break (self);
  self->raw = raw;
  v2_peer_read_welcome (self);
}

void
v2_peer_close (V2Peer *self, unsigned int code)
{
  const guint8 payload[] = { code >> 8, code & 0xff };

  raw_peer_send_frame (self->raw, RAW_CLOSE, payload, sizeof payload);
}

void
v2_peer_free (V2Peer *self)
{
  g_clear_pointer (&self->raw, raw_peer_free);
  g_byte_array_unref (self->frames);
  g_free (self->session);
  g_free (self->lines);
  g_free (self->secret);
  g_free (self);
}

void
v2_peer_send_text (V2Peer *self, const char *text)
{
  raw_peer_send_message (self->raw, text);
  self->sent++;
}

void
v2_peer_send (V2Peer *self, int type, guint32 stream, const char *payload)
{
  guint32 length = strlen (payload);
  guint32 numbers[] = { GUINT32_TO_BE (stream), GUINT32_TO_BE (length) };
  g_autoptr(GByteArray) frame = g_byte_array_new ();

  g_byte_array_append (frame, (const guint8[]){ type, 0, 0, 0 }, 4);
  g_byte_array_append (frame, (const guint8 *) numbers, sizeof numbers);
  g_byte_array_append (frame, (const guint8 *) payload, length);
  raw_peer_send_frame (self->raw, RAW_BINARY, frame->data, frame->len);
  self->sent++;
}

static void
note_text (V2Peer *self, const char *text)
{
  g_auto(VtControl) control = { 0 };

  decode (text, &control);
  self->received += vt_control_is_counted (control.type);
}

/* The kind of the next message; a binary one is in `frames` then. */
static int
read_message (V2Peer *self, GString *payload)
{
  int kind = raw_peer_read_frame (self->raw, payload);

  if (kind == RAW_TEXT)
    note_text (self, payload->str);
  if (kind == RAW_BINARY && payload->str[0] != V2_ACK)
    {
      self->received++;
      g_byte_array_set_size (self->frames, 0);
      g_byte_array_append (self->frames, (const guint8 *) payload->str, payload->len);
    }
  return kind;
}

char *
v2_peer_wait_text (V2Peer *self, const char *start)
{
  g_autoptr(GString) payload = g_string_new (NULL);
  int kind;

  do
    {
      kind = read_message (self, payload);
      if (kind == 0 || kind == RAW_CLOSE)
        g_error ("The end comes before “%s…”", start);
    }
  while (kind != RAW_TEXT || !g_str_has_prefix (payload->str, start));
  return g_string_free (g_steal_pointer (&payload), FALSE);
}

/* Takes the next frame, if there is one. */
static gboolean
take_frame (V2Peer *self, int *type, guint32 *stream, char **payload)
{
  guint32 numbers[2];
  size_t length;

  if (self->frames->len < HEADER)
    return FALSE;
  *type = self->frames->data[0];
  memcpy (numbers, self->frames->data + 4, sizeof numbers);
  *stream = GUINT32_FROM_BE (numbers[0]);
  length = GUINT32_FROM_BE (numbers[1]);
  g_assert_cmpuint (self->frames->len, >=, HEADER + length);
  *payload = g_strndup ((const char *) self->frames->data + HEADER, length);
  g_byte_array_remove_range (self->frames, 0, HEADER + length);
  return TRUE;
}

char *
v2_peer_wait (V2Peer *self, int type, guint32 stream)
{
  g_autoptr(GString) message = g_string_new (NULL);

  while (TRUE)
    {
      g_autofree char *payload = NULL;
      guint32 frame_stream = 0;
      int frame_type = 0;
      int kind;

      if (take_frame (self, &frame_type, &frame_stream, &payload))
        {
          if (frame_type == type && frame_stream == stream)
            return g_steal_pointer (&payload);
          continue;
        }
      kind = read_message (self, message);
      if (kind == 0 || kind == RAW_CLOSE)
        g_error ("The end comes before a frame %d of stream %u", type, stream);
    }
}

guint16
v2_peer_listen (V2Peer *self, unsigned int id, guint16 port)
{
  g_autofree char *listen =
      g_strdup_printf ("{\"type\":\"listen\",\"id\":%u,\"port\":%u}", id, port);
  g_autofree char *start = g_strdup_printf ("{\"type\":\"listen_ok\",\"id\":%u,", id);
  g_autofree char *answer = NULL;
  g_auto(VtControl) control = { 0 };

  v2_peer_send_text (self, listen);
  answer = v2_peer_wait_text (self, start);
  decode (answer, &control);
  return control.port;
}

char *
v2_peer_try_listen (V2Peer *self, const char *wish)
{
  static unsigned int last_id;
  g_autofree char *id = g_strdup_printf ("\"id\":%u", ++last_id);
  g_autofree char *listen = g_strdup_printf ("{\"type\":\"listen\",%s,%s}", id, wish);
  g_autofree char *unlisten = g_strdup_printf ("{\"type\":\"unlisten\",%s}", id);
  g_autofree char *answer = NULL;
  g_auto(GStrv) parts = NULL;

  v2_peer_send_text (self, listen);
  answer = v2_peer_wait_text (self, "{\"type\":\"listen_");
  v2_peer_send_text (self, unlisten);
  g_free (v2_peer_wait_text (self, "{\"type\":\"unlisten_ok\""));
  parts = g_strsplit (answer, id, 2);
  g_assert_cmpuint (g_strv_length (parts), ==, 2);
  return g_strconcat (parts[0], parts[1] + strlen (","), NULL);
}

unsigned int
v2_peer_wait_close (V2Peer *self)
{
  return raw_peer_read_close (self->raw);
}
