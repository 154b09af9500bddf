/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include <string.h>

#include "fuzz.h"
#include "vt-frame-feed-private.h"

/* WebSocket frames on their way to libsoup, in any pieces: what libsoup gets and the payloads that
 * were taken out are together what came, frame by frame, up to the frame that breaks a limit. Of
 * what libsoup gets, whole binary messages, and they alone, can be taken past it. What a frame is,
 * and which one that is, is found out here in another way. */

#define MAX_MESSAGE 5000
#define MAX_FRAGMENTS 1024
#define BINARY_MESSAGE 0x82

typedef struct {
  uint8_t first;
  gboolean masked;
  guint64 size;
  const uint8_t *header; /* not owned */
  size_t header_size;
} Frame;

typedef struct {
  VtFrameLimits limits;
  VtFrameFeed *feed; /* owned */
  gboolean direct;   /* payloads are read to where they belong */
  gboolean whole;    /* all came in one piece */
  GByteArray *out;   /* owned */
  unsigned int close_code;

  /* What the frames up to here amount to. */
  guint64 message_size;
  unsigned int n_fragments, n_controls, n_pings;
  guint64 n_messages;
} World;

/* FALSE while the header is not whole. */
static gboolean
read_header (const uint8_t *data, size_t left, Frame *frame)
{
  unsigned int form, n_bytes;

  if (left < 2)
    return FALSE;
  form = data[1] & 0x7f;
  n_bytes = form == 127 ? 8 : form == 126 ? 2 : 0;
  *frame = (Frame){ .first = data[0], .masked = data[1] >> 7, .header = data };
  frame->header_size = 2 + n_bytes + (frame->masked ? 4 : 0);
  if (left < frame->header_size)
    return FALSE;
  frame->size = n_bytes == 0 ? form : 0;
  for (unsigned int i = 0; i < n_bytes; i++)
    frame->size = frame->size << 8 | data[2 + i];
  return TRUE;
}

/* The code to close with, or 0. */
static unsigned int
judge (World *self, const Frame *frame)
{
  unsigned int opcode = frame->first & 0xf;

  if (opcode >= 8)
    {
      /* A proxy's goodbye, which is not for this side. */
      if (self->limits.masked && frame->header[0] == 0x88 && frame->header[1] == 2)
        return 1001;
      if (frame->size > 125)
        return 1002;
      self->n_pings += opcode == 9;
      return ++self->n_controls > self->limits.max_control_rate ? 1008 : 0;
    }
  if (opcode != 0)
    {
      self->message_size = self->n_fragments = 0;
      self->n_messages++;
    }
  if (frame->size > MAX_MESSAGE || self->message_size + frame->size > MAX_MESSAGE)
    return 1009;
  self->message_size += frame->size;
  return ++self->n_fragments > MAX_FRAGMENTS ? 1008 : 0;
}

static gboolean
can_be_carried (World *self, const Frame *frame)
{
  return self->limits.carry_from > 0 && frame->first == BINARY_MESSAGE
         && frame->masked == self->limits.masked && frame->size >= self->limits.carry_from;
}

/* Its length is written in no more bytes than it takes. */
static gboolean
is_short (const Frame *frame)
{
  unsigned int form = frame->header[1] & 0x7f;

  return form < 126 || frame->size > (form == 126 ? 125 : 65535);
}

static void
check_payload (const Frame *frame, GBytes *message)
{
  const uint8_t *payload = frame->header + frame->header_size;
  const uint8_t *mask = payload - 4;
  const uint8_t *data = g_bytes_get_data (message, NULL);

  g_assert_cmpuint (g_bytes_get_size (message), ==, frame->size);
  for (size_t i = 0; i < frame->size; i++)
    g_assert_cmphex (data[i], ==, payload[i] ^ (frame->masked ? mask[i % 4] : 0));
}

/* A whole frame of what libsoup gets, in memory of its own, and without its last byte. */
static void
check_message (World *self, const Frame *frame)
{
  size_t length = frame->header_size + (size_t) frame->size;
  g_autofree uint8_t *data = g_memdup2 (frame->header, length);
  g_autofree uint8_t *part = g_memdup2 (frame->header, length - 1);
  gboolean whole = frame->first == BINARY_MESSAGE && frame->masked == self->limits.masked;
  g_autoptr(GBytes) message = NULL;
  size_t taken = vt_frame_feed_next_message (self->feed, data, length, &message);

  g_assert_cmpuint (taken, ==, whole && is_short (frame) ? length : 0);
  g_assert_true ((message != NULL) == (taken > 0));
  if (message != NULL)
    check_payload (frame, message);
  g_assert_cmpuint (vt_frame_feed_next_message (self->feed, part, length - 1, NULL), ==, 0);
}

static void
check_carried (World *self, const Frame *frame, GBytes *carried, const Frame *empty)
{
  g_assert_true (can_be_carried (self, frame));
  g_assert_cmphex (empty->first, ==, BINARY_MESSAGE);
  g_assert_true (empty->masked == frame->masked && empty->size == 0);
  check_payload (frame, carried);
}

/* A whole frame of the input; gives the bytes that libsoup got for it. */
static size_t
check_frame (World *self, const Frame *frame, const uint8_t *out, size_t left)
{
  unsigned int opcode = frame->first & 0xf;
  size_t length = frame->header_size + (size_t) frame->size;
  g_autoptr(GBytes) carried = NULL;
  Frame got;

  if (opcode != 0 && opcode < 8)
    carried = vt_frame_feed_take_payload (self->feed, self->n_messages);
  if (carried != NULL)
    {
      g_assert_true (read_header (out, left, &got));
      check_carried (self, frame, carried, &got);
      check_message (self, &got);
      return got.header_size;
    }
  if (self->whole && can_be_carried (self, frame))
    g_assert_true (frame->header[1] != (frame->masked ? 0xfe : 0x7e) || frame->size < 126);
  g_assert_cmpuint (length, <=, left);
  g_assert_cmpint (memcmp (frame->header, out, length), ==, 0);
  check_message (self, frame);
  return length;
}

/* Of a frame that is not whole, libsoup has what came, or nothing. */
static void
check_tail (World *self, const uint8_t *in, size_t n_in, const uint8_t *out, size_t n_out)
{
  size_t room;

  if (vt_frame_feed_get_room (self->feed, &room) != NULL)
    {
      g_assert_cmpuint (n_out, ==, 0);
      g_assert_cmpuint (room, >, 0);
    }
  else
    g_assert_cmpmem (in, n_in, out, n_out);
}

static void
check (World *self, const uint8_t *in, size_t n_in)
{
  const uint8_t *out = self->out->data;
  size_t n_out = self->out->len;
  unsigned int code = 0;
  Frame frame;

  while (read_header (in, n_in, &frame))
    {
      size_t got;

      code = judge (self, &frame);
      if (code != 0 || frame.size > n_in - frame.header_size)
        break;
      got = check_frame (self, &frame, out, n_out);
      in += frame.header_size + frame.size;
      n_in -= frame.header_size + (size_t) frame.size;
      out += got;
      n_out -= got;
    }
  g_assert_cmpuint (self->close_code, ==, code);
  g_assert_cmpuint (vt_frame_feed_get_n_pings (self->feed), ==, self->n_pings);
  if (code == 0)
    check_tail (self, in, n_in, out, n_out);
  else
    {
      g_assert_cmpuint (n_out, <, frame.header_size);
      g_assert_true (n_out == 0 || memcmp (in, out, n_out) == 0);
    }
}

static void
give (World *self, const uint8_t *data, size_t length)
{
  g_autofree uint8_t *buffer = NULL;
  uint8_t *begin = NULL;
  size_t n_room, n_out;
  uint8_t *room = vt_frame_feed_get_room (self->feed, &n_room);
  VtFrameVerdict verdict;

  if (self->direct && room != NULL)
    {
      n_room = MIN (n_room, length);
      memcpy (room, data, n_room);
      vt_frame_feed_filled (self->feed, n_room);
      data += n_room;
      length -= n_room;
    }
  buffer = g_malloc (VT_FRAME_FEED_SLACK + length);
  memcpy (buffer + VT_FRAME_FEED_SLACK, data, length);
  n_out =
      vt_frame_feed_take (self->feed, buffer + VT_FRAME_FEED_SLACK, length, 0, &begin, &verdict);
  g_assert_true (begin >= buffer && begin + n_out <= buffer + VT_FRAME_FEED_SLACK + length);
  g_byte_array_append (self->out, begin, (unsigned int) n_out);
  g_assert_true ((verdict.close_code == 0) == (verdict.reason == NULL));
  g_assert_true (self->close_code == 0 || (verdict.close_code == self->close_code && n_out == 0));
  self->close_code = verdict.close_code;
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static const size_t carry[] = { 0, 1, 100, 4096 };
  FuzzInput input = { data, size };
  uint8_t flags = fuzz_take_byte (&input);
  uint8_t kind = fuzz_take_byte (&input);
  World self = { .out = g_byte_array_new (), .direct = (flags & 8) != 0, .whole = kind == 0 };
  FuzzCuts cuts;

  self.limits = (VtFrameLimits){ .max_message = MAX_MESSAGE,
                                 .max_control_rate = flags >> 4,
                                 .carry_from = carry[flags >> 1 & 3],
                                 .masked = flags & 1 };
  self.feed = vt_frame_feed_new (&self.limits);
  fuzz_cuts_init (&cuts, kind);
  for (size_t given = 0; given < input.left;)
    {
      size_t length = fuzz_cuts_next (&cuts, input.left - given);

      give (&self, input.data + given, length);
      given += length;
    }
  check (&self, input.data, input.left);
  vt_frame_feed_free (self.feed);
  g_byte_array_unref (self.out);
  return 0;
}
