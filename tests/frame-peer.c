/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "frame-peer.h"

#include "vt-codec-binary-private.h"

GIOStream *
peer_init (Peer *self, gboolean is_server)
{
  *self = (Peer){ .is_server = is_server, .got = g_byte_array_new () };
  return ws_stream_to_fd (&self->fd);
}

void
peer_clear (Peer *self)
{
  close (self->fd);
  g_byte_array_unref (self->got);
}

void
peer_say (Peer *self, uint8_t first, const void *payload, size_t size)
{
  g_autoptr(GByteArray) bytes = g_byte_array_new ();

  ws_add_frame (bytes, first, payload, size);
  if (self->is_server)
    {
      g_assert_cmpuint (size, <, 65536);
      bytes->data[1] &= 0x7f;
      g_byte_array_remove_range (bytes, size < 126 ? 2 : 4, 4);
    }
  ws_write_all (self->fd, bytes->data, bytes->len);
}

void
peer_say_text (Peer *self, const char *text)
{
  peer_say (self, PEER_TEXT, text, strlen (text));
}

void
peer_say_ack (Peer *self, guint64 received)
{
  uint8_t frame[VT_BINARY_ACK_SIZE];

  peer_say (self, PEER_BINARY, frame, vt_codec_binary_write_ack (frame, received));
}

void
peer_say_goodbye (Peer *self, unsigned int code, const char *reason)
{
  g_autofree char *payload = g_strdup_printf ("%c%c%s", code >> 8, code & 0xff, reason);

  peer_say (self, PEER_CLOSE, payload, 2 + strlen (reason));
}

static size_t
header_size (Peer *self)
{
  unsigned int length = self->got->len < 2 ? 0 : self->got->data[1] & 0x7f;

  g_assert_cmpuint (length, !=, 127);
  return 2 + (length == 126 ? 2 : 0) + (self->is_server ? 4 : 0);
}

static size_t
payload_size (Peer *self)
{
  const uint8_t *data = self->got->data;
  unsigned int length = data[1] & 0x7f;

  return length == 126 ? (size_t) data[2] << 8 | data[3] : length;
}

static gboolean
has_frame (Peer *self)
{
  return self->got->len >= header_size (self)
         && self->got->len >= header_size (self) + payload_size (self);
}

uint8_t
peer_read_frame (Peer *self, GByteArray *payload)
{
  size_t header = header_size (self);
  uint8_t first;
  size_t size;

  ws_wait (has_frame (self) || !ws_read_some (self->fd, self->got));
  g_assert_true (has_frame (self));
  header = header_size (self);
  size = payload_size (self);
  first = self->got->data[0];
  g_byte_array_set_size (payload, 0);
  for (size_t i = 0; i < size; i++)
    {
      uint8_t mask = self->is_server ? self->got->data[header - 4 + i % 4] : 0;
      uint8_t byte = self->got->data[header + i] ^ mask;

      g_byte_array_append (payload, &byte, 1);
    }
  g_byte_array_append (payload, (const uint8_t *) "", 1);
  g_byte_array_remove_range (self->got, 0, header + size);
  return first;
}

gboolean
peer_is_silent (Peer *self)
{
  ws_turn (50);
  return ws_read_some (self->fd, self->got) && self->got->len == 0;
}

void
peer_read_control (Peer *self, VtControl *control)
{
  g_autoptr(GByteArray) payload = g_byte_array_new ();
  g_autoptr(GBytes) message = NULL;
  g_autoptr(GError) error = NULL;

  g_assert_cmpuint (peer_read_frame (self, payload), ==, PEER_TEXT);
  message = g_bytes_new (payload->data, payload->len - 1);
  vt_codec_control_decode (message, VT_JSON_MAX_DEPTH, control, &error);
  g_assert_no_error (error);
}

void
peer_expect_control (Peer *self, VtControlType type)
{
  g_auto(VtControl) control = { 0 };

  peer_read_control (self, &control);
  g_assert_cmpint (control.type, ==, type);
}

char *
peer_read_goodbye (Peer *self, unsigned int code)
{
  g_autoptr(GByteArray) payload = g_byte_array_new ();

  while (peer_read_frame (self, payload) != PEER_CLOSE)
    continue;
  g_assert_cmpuint (payload->len, >=, 3);
  g_assert_cmpuint (payload->data[0] << 8 | payload->data[1], ==, code);
  return g_strdup ((const char *) payload->data + 2);
}
