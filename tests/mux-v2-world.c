/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "mux-v2-world.h"

#include <string.h>

#include "vt-error.h"

/* Nobody writes while so much is queued, and nothing that was lost is sent again. */
#define QUEUE_FULL (128 * 1024)

/* What still fits in one byte below that: of what was lost a message, which is a whole batch at
 * most. A turn is less: it begins with the batch counted, and adds one frame. */
#define MESSAGE_MAX (2 * (VT_BINARY_HEADER + VT_CONTROL_OUR_FRAME))

/* What goes out past a full queue: of each stream OPEN, OPENED, EOF, RESET, and CREDIT for what the
 * other side may still send while it hears of none (a quarter of a window each, so four, and one
 * for each time that the window has just become narrower); and control messages of 200 bytes, two
 * for each listen, and a few pings and pongs. */
#define PAST_MAX                                                                                   \
  (N_STREAMS                                                                                       \
       * (VT_BINARY_MAX_OPEN + 2 * VT_BINARY_HEADER + VT_BINARY_MAX_RESET                          \
          + 8 * VT_BINARY_CREDIT_SIZE)                                                             \
   + (2 * N_LISTENS + 8) * 200)

#define QUEUE_MAX (QUEUE_FULL + MESSAGE_MAX + PAST_MAX)

WorldTally world_tally;

/* What is held and what may still come, counted anew. */
static void
check_memory (World *self, Role role)
{
  VtMux *mux = self->sides[role]->mux;
  VtMuxV2 *v2 = vt_mux_v2_get (mux);
  size_t held = 0, promised = 0, owed = 0;

  for (GList *l = mux->members.head; l != NULL; l = l->next)
    {
      VtMuxStream *stream = l->data;

      held += stream->received.length;
      promised += stream->over ? 0 : stream->granted - stream->bytes_received;
      owed += stream->over ? 0 : stream->owed;
      world_tally.grown += !stream->over && stream->window > v2->ours.window;
    }
  g_assert_cmpuint (v2->promised, ==, promised);
  g_assert_cmpuint (held, <=, mux->buffered);
  g_assert_cmpuint (v2->owed, ==, owed);
  g_assert_cmpuint (held + promised + owed, <=, self->config.max_buffer);
}

static void
check_bounds (World *self, Role role)
{
  Side *side = self->sides[role];

  g_assert_cmpuint (side->queued, <, QUEUE_MAX);
  world_tally.full += side->queued > QUEUE_FULL;
  world_tally.behind += !side->cut && vt_replay_is_behind (side->replay);
  g_assert_cmpuint (vt_replay_get_kept (side->replay), <, self->config.max_buffer + QUEUE_MAX);
}

static guint64
count_sent (World *self, Role role)
{
  guint64 sent = 0;

  for (guint32 id = 1; id <= N_STREAMS; id++)
    if (self->fates[role][id].user != NULL)
      sent += self->fates[role][id].user->written;
  return sent;
}

void
world_note_left (World *self, Role role)
{
  self->sent_at_cut[role] = count_sent (self, role);
}

/* Without a link, streams wait with their bytes. */
static void
check_waiting (World *self, Role role)
{
  if (self->sides[role]->cut)
    g_assert_cmpuint (count_sent (self, role), ==, self->sent_at_cut[role]);
}

/* An end comes behind the last byte. */
static void
check_ends (World *self, Role role)
{
  for (guint32 id = 1; id <= N_STREAMS; id++)
    {
      User *user = self->fates[role][id].user;
      Fate *other = &self->fates[!role][id];

      if (user == NULL || !vt_mux_stream_at_end (user->stream))
        continue;
      g_assert_true (other->shut);
      if (!self->fates[role][id].let_go && user->stream->error == NULL)
        g_assert_cmpuint (user->received->len, ==, other->user->written);
    }
}

void
world_check (World *self)
{
  for (Role role = CLIENT; role <= SERVER; role++)
    {
      check_memory (self, role);
      check_bounds (self, role);
      check_waiting (self, role);
      check_ends (self, role);
    }
}

/* What arrived is the beginning of what was sent, and all of it unless somebody reset the
 * stream. */
static void
check_direction (World *self, Role from, guint32 id)
{
  Fate *sent = &self->fates[from][id], *got = &self->fates[!from][id];

  if (sent->user == NULL)
    return;
  g_assert_cmpuint (vt_mux_stream_get_bytes_sent (sent->user->stream), ==, sent->user->written);
  if (got->user == NULL)
    return;
  g_assert_cmpuint (got->user->received->len, <=, sent->user->written);
  user_expect_received (got->user, sent->user->seed, got->user->received->len);
  if (self->dropped || sent->reset != NULL || got->let_go)
    return;
  g_assert_cmpuint (got->user->received->len, ==, sent->user->written);
  g_assert_true (vt_mux_stream_at_end (got->user->stream));
}

/* `closed` is the last thing that is heard, and comes once; who has reset a stream hears nothing
 * more. */
static void
check_heard (Fate *fate)
{
  const char *heard;

  if (fate->user == NULL)
    return;
  heard = fate->user->heard->str;
  if (fate->let_go)
    g_assert_cmpstr (heard, ==, "");
  else if (fate->user->stream->has_handlers)
    g_assert_cmpuint (strcspn (heard, "cC"), ==, strlen (heard) - 1);
}

/* An error is what the other side has said, or that it did not want the stream at all. */
static void
check_reset (World *self, Role role, guint32 id)
{
  Fate *fate = &self->fates[role][id], *other = &self->fates[!role][id];

  if (fate->user == NULL || fate->let_go)
    return;
  if (other->user == NULL)
    {
      world_tally.refused++;
      g_assert_true (g_error_matches (fate->user->error, VT_ERROR, VT_ERROR_CANCELLED)
                     || g_error_matches (fate->user->error, VT_ERROR, VT_ERROR_LIMIT));
    }
  else if (other->reset == NULL || fate->user->error == NULL)
    {
      g_assert_no_error (fate->user->error);
      g_assert_true (fate->shut && other->shut);
    }
  else
    {
      const char *reason = other->reset->message;

      g_assert_error (fate->user->error, VT_ERROR, other->reset->code);
      g_assert_cmpstr (fate->user->error->message, ==,
                       *reason != '\0' ? reason : "The other side reset the stream");
    }
}

static unsigned int
count (World *self, const char *what, guint32 id)
{
  g_autofree char *line = g_strdup_printf ("%s %u", what, id);
  unsigned int n = 0;

  for (const char *at = self->sides[CLIENT]->heard->str; (at = strstr (at, line)) != NULL; at++)
    n++;
  return n;
}

/* Each is answered, and taken back, once. */
static void
check_listens (World *self)
{
  VtMuxV2 *client = vt_mux_v2_get (self->sides[CLIENT]->mux);
  VtMuxV2 *server = vt_mux_v2_get (self->sides[SERVER]->mux);

  for (guint32 id = 2; id <= self->n_listens; id++)
    {
      unsigned int n_ok = count (self, "listen_ok", id),
                   n_failed = count (self, "listen_failed", id);

      g_assert_cmpuint (n_ok + n_failed, <=, 1);
      if (!self->took_back[id])
        g_assert_cmpuint (n_ok + n_failed, ==, 1);
      g_assert_cmpuint (count (self, "unlisten_done", id), ==, self->took_back[id]);
      g_assert_cmpint (g_hash_table_contains (client->listens, GUINT_TO_POINTER (id)), ==,
                       g_hash_table_contains (server->listens, GUINT_TO_POINTER (id)));
    }
  g_assert_cmpuint (server->n_unanswered, ==, 0);
}

static void
check_empty (World *self, Role role)
{
  Side *side = self->sides[role];

  g_assert_cmpuint (vt_mux_get_n_streams (side->mux), ==, 0);
  g_assert_cmpuint (vt_mux_v2_get (side->mux)->promised, ==, 0);
  g_assert_cmpuint (side->mux->buffered, ==, 0);
  g_assert_cmpuint (side->mux->batched, ==, 0);
  g_assert_cmpuint (side->mux->waiting.length, ==, 0);
  g_assert_cmpuint (vt_replay_get_kept (side->replay), ==, 0);
  g_assert_cmpuint (side->queued, ==, 0);
}

void
world_check_end (World *self)
{
  for (Role role = CLIENT; role <= SERVER; role++)
    {
      for (guint32 id = 1; id <= N_STREAMS; id++)
        {
          check_direction (self, role, id);
          check_heard (&self->fates[role][id]);
          if (!self->dropped)
            check_reset (self, role, id);
        }
      if (!self->dropped)
        check_empty (self, role);
    }
  if (!self->dropped)
    check_listens (self);
}
