/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include <stdio.h>
#include <string.h>

#include "fuzz.h"
#include "mux-pair.h"
#include "vt-codec-json-private.h"
#include "vt-error.h"

/* One side of a session, of either role and protocol, against a peer that says what it likes, with
 * users that do what users do, and time. What a user reads is what came for its stream; what is
 * sent is well-formed and within what the peer has granted; the memory and the streams stay within
 * their limits. The first two bytes choose the side, the rest is a row of actions. */

#define MAX_ACTIONS 100

typedef struct {
  gboolean accepted;
  gboolean shut;
  size_t base; /* what had come for the number before the stream was */
} Fate;

typedef struct {
  FuzzInput input;
  Side *side; /* owned */
  VtMuxConfig config;
  VtControlLimits peer;
  GHashTable *came;  /* owned, number of a stream to what came for it (GByteArray) */
  GHashTable *sent;  /* owned, the same to how much was sent (guint64) */
  GHashTable *limit; /* owned, the same to how much may be (guint64) */
  GArray *fates;     /* owned, of Fate: of the side's users */
  GArray *asked;     /* owned, of guint32: listens that wait for the server's answer */
  guint32 last_asked;
  guint32 next_listen;
} World;

static GByteArray *
get_came (World *self, guint32 stream)
{
  GByteArray *came = g_hash_table_lookup (self->came, GUINT_TO_POINTER (stream));

  if (came == NULL)
    {
      came = g_byte_array_new ();
      g_hash_table_insert (self->came, GUINT_TO_POINTER (stream), came);
    }
  return came;
}

static guint64 *
get_count (GHashTable *counts, guint32 stream, guint64 first)
{
  guint64 *count = g_hash_table_lookup (counts, GUINT_TO_POINTER (stream));

  if (count == NULL)
    {
      count = g_new (guint64, 1);
      *count = first;
      g_hash_table_insert (counts, GUINT_TO_POINTER (stream), count);
    }
  return count;
}

static void
note_json (World *self, GBytes *message)
{
  g_auto(VtJsonMessage) decoded = { 0 };
  size_t length;
  const uint8_t *data;

  if (!vt_codec_json_decode (message, VT_JSON_MAX_DEPTH, &decoded, NULL)
      || decoded.type != VT_JSON_DATA || decoded.data == NULL)
    return;
  data = g_bytes_get_data (decoded.data, &length);
  g_byte_array_append (get_came (self, decoded.stream_id), data, (unsigned int) length);
}

/* Before the mux knows: what it does then can only rest on less. */
static void
note_frames (World *self, GBytes *message)
{
  size_t length = 0;
  const uint8_t *at = g_bytes_get_data (message, &length);
  const uint8_t *end = length > 0 ? at + length : at;
  VtBinaryFrame frame;

  while (at < end && vt_codec_binary_next (&at, end, VT_CONTROL_OUR_FRAME, &frame, NULL))
    if (frame.type == VT_BINARY_DATA)
      g_byte_array_append (get_came (self, frame.stream), frame.payload, frame.length);
    else if (frame.type == VT_BINARY_CREDIT)
      {
        guint64 *limit = get_count (self->limit, frame.stream, self->peer.window);

        *limit = MAX (*limit, vt_codec_binary_read_credit (&frame));
      }
}

/* Of users that have come since. */
static void
note_users (World *self)
{
  while (self->fates->len < self->side->users->len)
    {
      User *user = self->side->users->pdata[self->fates->len];
      Fate fate = { .accepted = !self->side->lazy };

      if (self->config.protocol == 1)
        fate.base = get_came (self, user->seed)->len;
      g_array_append_val (self->fates, fate);
    }
}

static void
note_asked (World *self)
{
  if (self->side->last_listen == self->last_asked)
    return;
  self->last_asked = self->side->last_listen;
  g_array_append_val (self->asked, self->last_asked);
}

static void
say (World *self, gboolean text, GBytes *message)
{
  if (self->side->mux == NULL || !self->side->reading)
    return;
  if (self->config.protocol == 1)
    note_json (self, message);
  else if (!text)
    note_frames (self, message);
  vt_mux_receive (self->side->mux, text, message);
  note_users (self);
  note_asked (self);
}

static void
say_text (World *self, char *text)
{
  g_autoptr(GBytes) message = g_bytes_new_take (text, strlen (text));

  say (self, TRUE, message);
}

static void
say_frame (World *self, const uint8_t *frame, size_t length)
{
  g_autoptr(GBytes) message = g_bytes_new (frame, length);

  say (self, FALSE, message);
}

static User *
choose_user (World *self, Fate **fate)
{
  uint8_t chosen = fuzz_take_byte (&self->input);
  unsigned int index;
  User *user;

  if (self->side->users->len == 0)
    return NULL;
  index = chosen % self->side->users->len;
  user = self->side->users->pdata[index];
  *fate = &g_array_index (self->fates, Fate, index);
  return user->stream != NULL ? user : NULL;
}

/* Often one that is there. */
static guint32
choose_stream (World *self)
{
  Fate *fate;
  User *user = choose_user (self, &fate);

  return user != NULL ? user->seed : fuzz_take_byte (&self->input) % 8;
}

/* Mostly small: what is there in bulk only takes its time. */
static size_t
take_size (World *self)
{
  uint8_t kind = fuzz_take_byte (&self->input);
  uint8_t size = fuzz_take_byte (&self->input);

  return (kind & 7) == 7 ? size * 80 : size;
}

static void
act_text (World *self)
{
  g_autoptr(GBytes) message = fuzz_take_bytes (&self->input, fuzz_take_16 (&self->input));

  say (self, TRUE, message);
}

static void
act_binary (World *self)
{
  g_autoptr(GBytes) message = fuzz_take_bytes (&self->input, fuzz_take_16 (&self->input));

  say (self, FALSE, message);
}

static void
act_data (World *self)
{
  guint32 stream = choose_stream (self);
  size_t length = take_size (self) + 1;
  size_t before = get_came (self, stream)->len;
  g_autoptr(GByteArray) frame = g_byte_array_new ();

  g_byte_array_set_size (frame, (unsigned int) (VT_BINARY_HEADER + length));
  vt_codec_binary_write_data_header (frame->data, stream, (guint32) length);
  for (size_t i = 0; i < length; i++)
    frame->data[VT_BINARY_HEADER + i] = pattern_at (stream, before + i);
  if (self->config.protocol == 2)
    say_frame (self, frame->data, frame->len);
  else
    {
      g_autoptr(GBytes) message =
          vt_codec_json_encode_data (stream, frame->data + VT_BINARY_HEADER, length);

      say (self, TRUE, message);
    }
}

static void
open_as_server (World *self)
{
  guint32 listen_id = fuzz_take_byte (&self->input) % 4 + 1;
  VtMuxStream *stream = vt_mux_open_stream (self->side->mux, listen_id, NULL, NULL, NULL);

  if (stream == NULL)
    return;
  user_listen (user_new (self->side, stream));
  note_users (self);
}

static void
act_open (World *self)
{
  guint32 stream = fuzz_take_byte (&self->input);
  const VtBinaryAddress nowhere = { 0 };
  uint8_t frame[VT_BINARY_MAX_OPEN];

  if (self->config.role == VT_MUX_SERVER)
    {
      if (self->side->mux != NULL)
        open_as_server (self);
    }
  else if (self->config.protocol == 1)
    say_text (self,
              g_strdup_printf ("{\"type\":\"connect\",\"port\":8080,\"stream_id\":%u}", stream));
  else
    say_frame (self, frame, vt_codec_binary_write_open (frame, stream, 1, &nowhere, &nowhere));
}

static void
act_small_frame (World *self)
{
  uint8_t kind = fuzz_take_byte (&self->input) % 4;
  guint32 stream = choose_stream (self);
  uint8_t frame[VT_BINARY_MAX_RESET];

  if (self->config.protocol == 1)
    say_text (self, g_strdup_printf ("{\"type\":\"close\",\"stream_id\":%u}", stream));
  else if (kind < 2)
    say_frame (self, frame,
               vt_codec_binary_write_bare (frame, kind == 0 ? VT_BINARY_OPENED : VT_BINARY_EOF,
                                           stream));
  else if (kind == 2)
    say_frame (self, frame, vt_codec_binary_write_reset (frame, stream, 5, "so"));
  else
    say_frame (self, frame,
               vt_codec_binary_write_credit (frame, stream, fuzz_take_32 (&self->input)));
}

static void
act_listen (World *self)
{
  static const char *const names[] = { "a.example", NULL };
  uint8_t flags = fuzz_take_byte (&self->input);
  VtMuxListen listen = { .port = (guint16) fuzz_take_byte (&self->input),
                         .address = (flags & 1) != 0 ? "127.0.0.1" : NULL };

  if (self->side->mux == NULL || self->config.role != VT_MUX_CLIENT)
    return;
  if ((flags & 6) == 6 && self->config.protocol == 2)
    {
      listen.kind = VT_CONTROL_KIND_HTTP;
      listen.names = names;
    }
  if ((flags & 8) != 0)
    vt_mux_unlisten (self->side->mux, flags >> 4);
  else
    vt_mux_listen (self->side->mux, self->next_listen++, &listen);
}

static void
act_answer (World *self)
{
  uint8_t flags = fuzz_take_byte (&self->input);
  g_autoptr(GError) error = g_error_new_literal (VT_ERROR, VT_ERROR_ADDRESS_IN_USE, "So");
  unsigned int index = flags >> 1;
  guint32 id;

  if (self->side->mux == NULL || self->asked->len == 0)
    return;
  index %= self->asked->len;
  id = g_array_index (self->asked, guint32, index);
  g_array_remove_index (self->asked, index);
  if ((flags & 1) != 0)
    vt_mux_listen_accept (self->side->mux, id, "127.0.0.1", 8080);
  else
    vt_mux_listen_refuse (self->side->mux, id, error, flags >> 6);
}

static void
act_read (World *self)
{
  Fate *fate;
  User *user = choose_user (self, &fate);

  if (user != NULL)
    user_read_all (user);
}

static void
act_write (World *self)
{
  Fate *fate;
  User *user = choose_user (self, &fate);
  size_t length = take_size (self) * 4;

  if (user != NULL && !fate->shut)
    user_write (user, length);
}

static void
act_user (World *self)
{
  uint8_t kind = fuzz_take_byte (&self->input) % 6;
  Fate *fate;
  User *user = choose_user (self, &fate);

  if (user == NULL)
    return;
  if (kind == 0 && !fate->accepted && self->config.role == VT_MUX_CLIENT)
    {
      fate->accepted = TRUE;
      vt_mux_stream_accept (user->stream);
    }
  else if (kind == 1)
    {
      fate->shut = TRUE;
      user->to_write = user->written;
      vt_mux_stream_shutdown (user->stream);
    }
  else if (kind == 2)
    vt_mux_stream_reset (user->stream, NULL);
  else if (kind == 3)
    user_listen (user);
  else if (kind == 4)
    user->reads = !user->reads;
  else if (kind == 5)
    user_release (user);
}

static void
act_time (World *self)
{
  static const gint64 steps[] = { 0,
                                  1,
                                  G_TIME_SPAN_MILLISECOND,
                                  3 * G_TIME_SPAN_SECOND,
                                  16 * G_TIME_SPAN_SECOND,
                                  6 * G_TIME_SPAN_MINUTE };

  vt_clock_advance (self->side->clock, steps[fuzz_take_byte (&self->input) % G_N_ELEMENTS (steps)]);
}

/* The link fills up, is gone or comes back. */
static void
act_link (World *self)
{
  static const size_t queued[] = { 0, 100 * 1024, 2 * 1024 * 1024, 5 * 1024 * 1024 };
  uint8_t flags = fuzz_take_byte (&self->input);
  Side *side = self->side;

  side->queued = queued[flags & 3];
  if (side->mux == NULL)
    return;
  if ((flags & 0x1c) == 0x1c)
    vt_mux_suspend (side->mux);
  else if ((flags & 0x1c) == 0x18)
    vt_mux_resume (side->mux);
  else if ((flags & 0x1c) == 0x14)
    vt_mux_probe (side->mux, G_TIME_SPAN_SECOND);
  else if ((flags & 0x1c) == 0x10 && self->config.role == VT_MUX_SERVER)
    vt_mux_send_goaway (side->mux, "so", flags);
  else
    vt_mux_note_writable (side->mux);
}

/* Numbers are not used twice, where they are counted. */
static User *
find_user (World *self, guint32 stream)
{
  for (unsigned int i = 0; i < self->side->users->len; i++)
    if (((User *) self->side->users->pdata[i])->seed == stream)
      return self->side->users->pdata[i];
  return NULL;
}

static void
check_data_sent (World *self, guint32 stream, guint64 length)
{
  guint64 *sent = get_count (self->sent, stream, 0);
  User *user = find_user (self, stream);

  *sent += length;
  g_assert_nonnull (user);
  g_assert_cmpuint (*sent, <=, user->written);
  g_assert_cmpuint (length, <=, self->peer.max_frame);
  g_assert_cmpuint (*sent, <=, *get_count (self->limit, stream, self->peer.window));
}

static void
check_control_sent (World *self, const char *line)
{
  g_autoptr(GBytes) message = g_bytes_new (line, strlen (line));
  g_auto(VtJsonMessage) json = { 0 };
  g_auto(VtControl) control = { 0 };

  g_assert_cmpuint (strlen (line), <=, self->peer.max_message);
  if (self->config.protocol == 1)
    {
      g_assert_true (vt_codec_json_decode (message, VT_JSON_MAX_DEPTH, &json, NULL));
      g_assert_cmpint (json.type, !=, VT_JSON_UNKNOWN);
      return;
    }
  g_assert_true (vt_codec_control_decode (message, VT_JSON_MAX_DEPTH, &control, NULL));
  g_assert_cmpint (control.type, !=, VT_CONTROL_UNKNOWN);
}

/* The side writes down what it sends (wire_describe ()), after it has read it. */
static void
check_sent (World *self)
{
  g_auto(GStrv) lines = g_strsplit (self->side->sent->str, "\n", -1);

  for (unsigned int i = 0; lines[i] != NULL; i++)
    {
      g_auto(GStrv) frames = NULL;

      if (lines[i][0] == '{' || self->config.protocol == 1)
        {
          if (lines[i][0] != '\0')
            check_control_sent (self, lines[i]);
          continue;
        }
      frames = g_strsplit (lines[i], "; ", -1);
      for (unsigned int j = 0; frames[j] != NULL; j++)
        {
          unsigned int stream, length;

          if (sscanf (frames[j], "DATA %u %u", &stream, &length) == 2)
            check_data_sent (self, stream, length);
        }
    }
  g_string_truncate (self->side->sent, 0);
  g_string_truncate (self->side->heard, 0);
}

static void
check_user (World *self, unsigned int index)
{
  User *user = self->side->users->pdata[index];
  size_t base = g_array_index (self->fates, Fate, index).base;
  GByteArray *came = get_came (self, user->seed);

  g_assert_cmpuint (base + user->received->len, <=, came->len);
  if (user->received->len > 0)
    g_assert_cmpint (memcmp (user->received->data, came->data + base, user->received->len), ==, 0);
}

static void
check_limits (World *self)
{
  guint64 kept = 0;

  if (self->side->mux == NULL)
    return;
  g_assert_cmpuint (vt_mux_get_n_streams (self->side->mux), <=, self->config.max_streams);
  for (unsigned int i = 0; i < self->side->users->len; i++)
    {
      User *user = self->side->users->pdata[i];

      if (user->stream != NULL)
        kept += vt_mux_stream_get_bytes_received (user->stream) - user->received->len;
    }
  g_assert_cmpuint (kept, <=, self->config.max_buffer + (self->config.protocol == 1 ? 65536 : 0));
}

static void
act (World *self)
{
  static void (*const actions[]) (World * self) = {
    act_text,   act_binary, act_data, act_open,  act_small_frame, act_listen,
    act_answer, act_read,   act_user, act_write, act_time,        act_link,
  };

  actions[fuzz_take_byte (&self->input) % G_N_ELEMENTS (actions)](self);
  check_sent (self);
  check_limits (self);
}

static void
init (World *self)
{
  static const size_t buffers[] = { 16 * 1024, 64 * 1024, 1024 * 1024, 128 * 1024 * 1024 };
  static const unsigned int streams[] = { 1, 4, 100, 8192 };
  static const guint32 windows[] = { 1, 1000, VT_CONTROL_WINDOW, G_MAXUINT32 };
  uint8_t kind = fuzz_take_byte (&self->input);
  uint8_t sizes = fuzz_take_byte (&self->input);
  g_autoptr(VtClock) clock = vt_clock_new_fake ();

  vt_mux_config_init (&self->config, (kind & 1) != 0 ? VT_MUX_SERVER : VT_MUX_CLIENT);
  self->config.protocol = (kind & 2) != 0 ? 2 : 1;
  self->config.max_buffer = buffers[sizes & 3];
  self->config.max_streams = streams[sizes >> 2 & 3];
  self->peer = (VtControlLimits){ .window = windows[sizes >> 4 & 3],
                                  .max_frame = (sizes & 0x40) != 0 ? 1 : VT_CONTROL_OUR_FRAME,
                                  .max_message = (sizes & 0x80) != 0 ? VT_CONTROL_MIN_MESSAGE
                                                                     : VT_CONTROL_MAX_MESSAGE };
  self->peer.max_frame = MIN (self->peer.max_frame, self->peer.max_message - VT_BINARY_HEADER);
  self->side = side_new (self->config.role, clock, &self->config);
  self->side->lazy = (kind & 4) != 0;
  self->side->suspends = (kind & 8) != 0;
  self->side->endless = (kind & 16) != 0;
  if (self->config.protocol == 2)
    side_greet (self->side, &self->peer);
  self->next_listen = 1;
  if (self->config.role == VT_MUX_CLIENT)
    vt_mux_listen (self->side->mux, self->next_listen++, &(VtMuxListen){ .port = 8080 });
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  World self = { .input = { data, size } };

  self.came = g_hash_table_new_full (NULL, NULL, NULL, (GDestroyNotify) g_byte_array_unref);
  self.sent = g_hash_table_new_full (NULL, NULL, NULL, g_free);
  self.limit = g_hash_table_new_full (NULL, NULL, NULL, g_free);
  self.fates = g_array_new (FALSE, FALSE, sizeof (Fate));
  self.asked = g_array_new (FALSE, FALSE, sizeof (guint32));
  init (&self);
  for (unsigned int i = 0; i < MAX_ACTIONS && self.input.left > 0; i++)
    act (&self);
  for (unsigned int i = 0; i < self.side->users->len; i++)
    check_user (&self, i);
  side_free (self.side);
  g_hash_table_unref (self.came);
  g_hash_table_unref (self.sent);
  g_hash_table_unref (self.limit);
  g_array_unref (self.fates);
  g_array_unref (self.asked);
  return 0;
}
