/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-frame-feed-private.h"

#include <stdlib.h>
#include <string.h>

#include "vt-frame-mask-private.h"
#include "vt-frame-walk-private.h"

#define FIN 0x80
#define TEXT 0x1
#define CARRY_FROM 100
#define N_SCHEDULES 2000

static const uint8_t mask[VT_FRAME_MASK_SIZE] = { 0x12, 0x34, 0x56, 0x78 };

/* A feed, what came out of it, and the payloads that did not. */
typedef struct {
  VtFrameFeed *feed;
  gboolean masked;
  GByteArray *in;
  GByteArray *out;
  unsigned int close_code;
} World;

static void
world_init (World *self, gboolean masked)
{
  VtFrameLimits limits = {
    .max_message = 70000, .max_control_rate = 1000, .carry_from = CARRY_FROM, .masked = masked
  };

  self->feed = vt_frame_feed_new (&limits);
  self->masked = masked;
  self->in = g_byte_array_new ();
  self->out = g_byte_array_new ();
  self->close_code = 0;
}

static void
world_clear (World *self)
{
  vt_frame_feed_free (self->feed);
  g_byte_array_unref (self->in);
  g_byte_array_unref (self->out);
}

static void
fill (uint8_t *payload, size_t size, unsigned int seed)
{
  for (size_t i = 0; i < size; i++)
    payload[i] = i * 7 + seed;
}

static void
add_header (GByteArray *bytes, uint8_t first, gboolean masked, size_t size)
{
  unsigned int n_bytes = size > 65535 ? 8 : size > 125 ? 2 : 0;
  uint8_t form = n_bytes == 8 ? 127 : n_bytes == 2 ? 126 : size;

  g_byte_array_append (bytes, (uint8_t[]){ first, form | (masked ? 0x80 : 0) }, 2);
  for (unsigned int i = n_bytes; i > 0; i--)
    g_byte_array_append (bytes, &(uint8_t){ (guint64) size >> (8 * (i - 1)) & 0xff }, 1);
  if (masked)
    g_byte_array_append (bytes, mask, sizeof mask);
}

static void
add_frame (World *self, uint8_t first, size_t size, unsigned int seed)
{
  g_autofree uint8_t *payload = g_malloc (size + 1);

  fill (payload, size, seed);
  if (self->masked)
    vt_frame_mask (payload, payload, size, mask, 0);
  add_header (self->in, first, self->masked, size);
  g_byte_array_append (self->in, payload, size);
}

/* A piece, as a gate reads it. Some of it may go to where it belongs. */
static void
give (World *self, const uint8_t *data, size_t length, gboolean direct)
{
  g_autofree uint8_t *buffer = g_malloc (VT_FRAME_FEED_SLACK + length);
  uint8_t *begin = NULL;
  VtFrameVerdict verdict;
  size_t n_room = 0;
  uint8_t *room = vt_frame_feed_get_room (self->feed, &n_room);
  size_t n_out = 0;

  memset (buffer, 0xee, VT_FRAME_FEED_SLACK);
  if (direct && room != NULL)
    {
      n_room = MIN (n_room, length);
      memcpy (room, data, n_room);
      vt_frame_feed_filled (self->feed, n_room);
      data += n_room;
      length -= n_room;
    }
  memcpy (buffer + VT_FRAME_FEED_SLACK, data, length);
  n_out =
      vt_frame_feed_take (self->feed, buffer + VT_FRAME_FEED_SLACK, length, 0, &begin, &verdict);
  g_assert_true (begin >= buffer && begin + n_out <= buffer + VT_FRAME_FEED_SLACK + length);
  g_byte_array_append (self->out, begin, n_out);
  self->close_code = verdict.close_code;
}

/* Steps over the next frame of what came out. */
static void
next_frame (World *self, size_t *at, uint8_t *first, uint8_t **payload, size_t *size)
{
  VtFrameWalk walk = { 0 };
  gboolean began = FALSE;

  while (!began)
    *at += vt_frame_walk_step (&walk, self->out->data + *at, self->out->len - *at, &began);
  g_assert_cmphex (walk.header[1] & 0x80, ==, self->masked ? 0x80 : 0);
  g_assert_cmpuint (walk.left, <=, self->out->len - *at);
  *first = walk.header[0];
  *payload = self->out->data + *at;
  *size = walk.left;
  if (self->masked)
    vt_frame_mask (*payload, *payload, *size, walk.header + walk.have - 4, 0);
  *at += walk.left;
}

/* What goes on there may be the next message, and is not if its last byte is missing. */
static void
expect_message (World *self, size_t at, gboolean whole)
{
  const uint8_t *data = self->out->data + at;
  g_autoptr(GBytes) message = NULL;
  size_t length = vt_frame_feed_next_message (self->feed, data, self->out->len - at, &message);
  uint8_t first = 0;
  uint8_t *payload = NULL;
  size_t size = 0;

  g_assert_cmpuint (length > 0, ==, whole);
  if (!whole)
    return;
  g_assert_cmpuint (vt_frame_feed_next_message (self->feed, data, length - 1, NULL), ==, 0);
  next_frame (self, &at, &first, &payload, &size);
  g_assert_true (payload + size == data + length);
  g_assert_cmpmem (payload, size, g_bytes_get_data (message, NULL), g_bytes_get_size (message));
  if (self->masked)
    vt_frame_mask (payload, payload, size, payload - VT_FRAME_MASK_SIZE, 0);
}

typedef struct {
  uint8_t first;
  size_t size;
} Sent;

static const Sent kinds[] = {
  { FIN | VT_FRAME_BINARY, 0 },
  { FIN | VT_FRAME_BINARY, 99 },
  { FIN | VT_FRAME_BINARY, 100 },
  { FIN | VT_FRAME_BINARY, 126 },
  { FIN | VT_FRAME_BINARY, 5000 },
  { FIN | VT_FRAME_BINARY, 70000 },
  { FIN | TEXT, 3 },
  { FIN | TEXT, 4000 },
  { FIN | VT_FRAME_PING, 5 },
  { VT_FRAME_BINARY, 3000 },
};

/* Whatever the pieces are, libsoup has each frame in its place, and nothing but the payloads of
 * large whole messages is taken out, unless a header came in two pieces. */
static void
test_schedule (unsigned int seed, unsigned int *n_carried)
{
  g_autoptr(GRand) dice = g_rand_new_with_seed (seed);
  Sent sent[60];
  unsigned int n_sent = 0;
  guint64 n_messages = 0;
  size_t at = 0;
  World self;

  world_init (&self, g_rand_boolean (dice));
  while (n_sent < 50)
    {
      sent[n_sent] = kinds[g_rand_int_range (dice, 0, G_N_ELEMENTS (kinds))];
      add_frame (&self, sent[n_sent].first, sent[n_sent].size, n_sent);
      n_sent++;
      if ((sent[n_sent - 1].first & FIN) == 0)
        {
          sent[n_sent] = (Sent){ FIN, 2000 };
          add_frame (&self, FIN, 2000, n_sent);
          n_sent++;
        }
    }

  for (size_t given = 0; given < self.in->len;)
    {
      size_t length = g_rand_int_range (dice, 1, g_rand_boolean (dice) ? 20 : 100000);

      length = MIN (length, self.in->len - given);
      give (&self, self.in->data + given, length, g_rand_boolean (dice));
      g_assert_cmpuint (self.close_code, ==, 0);
      given += length;
    }

  for (unsigned int i = 0; i < n_sent; i++)
    {
      g_autofree uint8_t *expected = g_malloc (sent[i].size + 1);
      g_autoptr(GBytes) carried = NULL;
      uint8_t first = 0;
      uint8_t *payload = NULL;
      size_t size = 0;

      expect_message (&self, at, sent[i].first == (FIN | VT_FRAME_BINARY));
      next_frame (&self, &at, &first, &payload, &size);
      g_assert_cmphex (first, ==, sent[i].first);
      if (!VT_FRAME_IS_CONTROL (first & 0xf) && (first & 0xf) != VT_FRAME_CONTINUATION)
        carried = vt_frame_feed_take_payload (self.feed, ++n_messages);
      if (carried != NULL)
        {
          g_assert_cmpuint (size, ==, 0);
          g_assert_cmphex (first, ==, FIN | VT_FRAME_BINARY);
          payload = (uint8_t *) g_bytes_get_data (carried, &size);
          g_assert_cmpuint (size, >=, CARRY_FROM);
          (*n_carried)++;
        }
      fill (expected, sent[i].size, i);
      g_assert_cmpmem (payload, size, expected, sent[i].size);
    }
  g_assert_cmpuint (at, ==, self.out->len);
  world_clear (&self);
}

static void
test_random (void)
{
  const char *given = g_getenv ("VT_TEST_SEED");
  guint32 seed = given != NULL ? (guint32) strtoul (given, NULL, 10) : g_random_int ();
  unsigned int n_carried = 0;

  g_test_message ("VT_TEST_SEED=%u", seed);
  for (unsigned int i = 0; i < N_SCHEDULES; i++)
    test_schedule (seed + i, &n_carried);
  g_test_message ("%u carried", n_carried);
  g_assert_cmpuint (n_carried, >, N_SCHEDULES);
}

/* In one piece, everything that can be is carried: otherwise the test above could be vain. */
static void
test_whole (void)
{
  World self;

  for (unsigned int masked = 0; masked < 2; masked++)
    {
      world_init (&self, masked);
      for (unsigned int i = 0; i < 5; i++)
        add_frame (&self, FIN | VT_FRAME_BINARY, CARRY_FROM + 1000 * i, i);
      give (&self, self.in->data, self.in->len, FALSE);
      g_assert_cmpuint (self.out->len, ==, 5 * (masked ? 6 : 2));
      for (unsigned int i = 1; i <= 5; i++)
        {
          g_autoptr(GBytes) payload = vt_frame_feed_take_payload (self.feed, i);

          g_assert_nonnull (payload);
          g_assert_null (vt_frame_feed_take_payload (self.feed, i));
        }
      world_clear (&self);
    }
}

/* What is not as it should be is left to libsoup, to the last byte. */
static void
test_left_alone (void)
{
  static const struct {
    uint8_t header[14];
    size_t length;
  } cases[] = {
    { { 0x82, 0x7e, 0x01, 0x00 }, 4 },                          /* not masked */
    { { 0xc2, 0xfe, 0x01, 0x00, 1, 2, 3, 4 }, 8 },              /* a reserved bit */
    { { 0x02, 0xfe, 0x01, 0x00, 1, 2, 3, 4 }, 8 },              /* a fragment */
    { { 0x81, 0xfe, 0x01, 0x00, 1, 2, 3, 4 }, 8 },              /* text */
    { { 0x83, 0xfe, 0x01, 0x00, 1, 2, 3, 4 }, 8 },              /* unknown */
    { { 0x82, 0xfe, 0x00, 0x70, 1, 2, 3, 4 }, 8 },              /* a length longer than need be */
    { { 0x82, 0xff, 0, 0, 0, 0, 0, 0, 1, 0, 1, 2, 3, 4 }, 14 }, /* and longer yet */
  };

  for (size_t i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      World self;

      world_init (&self, TRUE);
      g_byte_array_append (self.in, cases[i].header, cases[i].length);
      for (unsigned int j = 0; j < 256; j++)
        g_byte_array_append (self.in, &(uint8_t){ j }, 1);
      give (&self, self.in->data, self.in->len, FALSE);
      g_assert_cmpmem (self.out->data, self.out->len, self.in->data, self.in->len);
      expect_message (&self, 0, FALSE);
      world_clear (&self);
    }
}

/* A limit that is broken behind a payload, and one that the payload itself breaks. */
static void
test_limit (void)
{
  World self;

  world_init (&self, TRUE);
  add_frame (&self, FIN | VT_FRAME_BINARY, 1000, 0);
  add_frame (&self, FIN | VT_FRAME_BINARY, 70001, 0);
  give (&self, self.in->data, self.in->len, FALSE);
  g_assert_cmpuint (self.close_code, ==, 1009);
  g_assert_cmpuint (self.out->len, ==, 6);
  give (&self, self.in->data, 100, FALSE);
  g_assert_cmpuint (self.close_code, ==, 1009);
  g_assert_cmpuint (self.out->len, ==, 6);
  world_clear (&self);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/frame-feed/random", test_random);
  g_test_add_func ("/frame-feed/whole", test_whole);
  g_test_add_func ("/frame-feed/left-alone", test_left_alone);
  g_test_add_func ("/frame-feed/limit", test_limit);
  return g_test_run ();
}
