/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-gate-streams-private.h"

#include <glib/gi18n-lib.h>

#include "vt-frame-walk-private.h"
#include "vt-ready-set-private.h"
#include "vt-source-private.h"

/* One read of the base. The buffer exists only while bytes stand in it. */
#define BUFFER_SIZE VT_GATE_MAX_UNREAD
/* Where what was read begins in it. */
#define BUFFER_BEGIN VT_FRAME_FEED_SLACK
/* What is read in one go with the rest of a payload: small frames, or the beginning of the next
 * large one, of which that much has to be copied. */
#define BEHIND_PAYLOAD (16 * 1024)

/* What may be handed on in one turn of the main loop. */
#define TURN_BYTES (256 * 1024)
#define TURN_TIME 500

/* So often a socket may say that it is readable to somebody who has not read it since, before it
 * is no longer listened to. Twice is the rule: the reader has its turn one round later. */
#define MAX_UNHEARD 3

/* What libsoup's code reads from, 1 KiB at a time. */
struct _VtGateInput {
  GInputStream parent_instance;

  /* Both the gate's; NULL when it is closed. */
  VtGate *gate;
  VtGateBase *base;
  VtReadySet ready;

  /* Owned. What was read and not handed on: from begin to end, of which what stands before
   * `allowed` has passed the guard. */
  uint8_t *buffer;
  size_t begin;
  size_t allowed;
  size_t end;

  /* At most one of the guards is on. */
  VtHeadGuard head_guard;
  gboolean guards_head;
  /* The head that was handed on has an answer. */
  gboolean answered;
  /* Owned. */
  VtFrameFeed *frame_feed;
  /* Over what was handed to libsoup. */
  VtFrameWalk handed;

  gboolean paused;
  /* The guard has spoken: nothing more is handed on. */
  gboolean refused;
  /* Nobody wants to hear of messages any more: control frames are all that is handed on. */
  gboolean drops;
  /* The base said that it is readable, and was not read empty since. */
  gboolean readable;
  /* The last read of a socket gave less than was asked for: it is empty. */
  gboolean emptied;
  unsigned int unheard;
  /* The peer has to read answers to its pings first. */
  gboolean owed;

  /* Messages are being handed on past libsoup, which must not read meanwhile. */
  gboolean passing;
  /* Owned. Of a read that libsoup did not ask for. */
  GError *error;

  /* Of the turn that goes on since something was last refused. */
  size_t turn_bytes;
  gint64 turn_began;
};

static void vt_gate_input_pollable_init (GPollableInputStreamInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (VtGateInput,
                               vt_gate_input,
                               G_TYPE_INPUT_STREAM,
                               G_IMPLEMENT_INTERFACE (G_TYPE_POLLABLE_INPUT_STREAM,
                                                      vt_gate_input_pollable_init))

static gboolean
may_read_base (VtGateInput *self)
{
  if (self->guards_head && self->head_guard.complete && !self->head_guard.has_body)
    return self->answered;
  if (vt_gate_owes_pongs (self->gate))
    self->owed = TRUE;
  return !self->owed;
}

static gboolean
is_ready (void *user_data)
{
  VtGateInput *self = user_data;

  if (self->gate == NULL)
    return TRUE;
  if (self->paused || self->passing)
    return FALSE;
  if (self->error != NULL)
    return TRUE;
  if (self->begin < self->allowed || (self->answered && self->begin < self->end))
    return TRUE;
  return self->readable && !self->refused && may_read_base (self);
}

static void
release_buffer (VtGateInput *self)
{
  g_clear_pointer (&self->buffer, g_free);
  self->begin = self->allowed = self->end = 0;
}

static gssize
would_block (VtGateInput *self, GError **error)
{
  self->turn_bytes = 0;
  if (self->begin == self->end)
    release_buffer (self);
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK, "Nothing to read now");
  return -1;
}

static gssize
is_shut (GError **error)
{
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_CLOSED, _ ("The connection is closed"));
  return -1;
}

/* What is carried past libsoup counts for the turn here, all the rest when it is handed on. */
static void
inspect_frames (VtGateInput *self)
{
  VtFrameVerdict verdict;
  uint8_t *begin = NULL;
  size_t length = self->end - self->begin;
  size_t left = vt_frame_feed_take (self->frame_feed, self->buffer + self->begin, length,
                                    g_get_monotonic_time (), &begin, &verdict);

  self->turn_bytes += length > left ? length - left : 0;
  self->begin = begin - self->buffer;
  self->allowed = self->end = self->begin + left;
  if (verdict.close_code == 0)
    return;
  self->refused = TRUE;
  vt_gate_refuse (self->gate, verdict.close_code, verdict.reason);
}

static void
inspect_head (VtGateInput *self)
{
  self->allowed += vt_head_guard_inspect (&self->head_guard, self->buffer + self->allowed,
                                          self->end - self->allowed);
  if (self->head_guard.fault != NULL)
    vt_gate_refuse (self->gate, VT_GATE_BAD_REQUEST, self->head_guard.fault);
  else if (self->head_guard.too_long)
    vt_gate_refuse (self->gate, 0, "request head too long");
  else
    return;
  self->refused = TRUE;
}

/* Lets the guard say how much of what stands in the buffer may be handed on. */
static void
inspect (VtGateInput *self)
{
  if (self->gate == NULL || self->refused)
    return;
  if (self->frame_feed != NULL)
    inspect_frames (self);
  else if (self->allowed == self->end)
    return;
  else if (self->guards_head)
    inspect_head (self);
  else
    self->allowed = self->end;
}

/* Not before somebody reads on: what was answered may have been an upgrade, and then what
 * stands in the buffer is no request. */
static void
take_answer (VtGateInput *self)
{
  if (!self->answered)
    return;
  self->answered = FALSE;
  vt_head_guard_next (&self->head_guard);
  inspect (self);
}

static void
drop_messages (VtGateInput *self)
{
  size_t length = self->allowed - self->begin;

  if (!self->drops || length == 0)
    return;
  length = vt_frame_walk_skip_messages (&self->handed, self->buffer + self->begin, length);
  self->begin += length;
  self->turn_bytes += length;
  vt_frame_feed_forget_payloads (self->frame_feed);
  if (self->begin == self->end)
    release_buffer (self);
}

/* Reads from the base: the rest of a payload that is under way to where it belongs, and what comes
 * then into the buffer. */
static gssize
read_base (VtGateInput *self, GError **error)
{
  GInputVector vectors[2] = { { NULL, 0 }, { self->buffer + BUFFER_BEGIN, BUFFER_SIZE } };
  gssize n_bytes = 0;
  size_t asked = 0;
  size_t direct = 0;

  if (self->frame_feed != NULL)
    vectors[0].buffer = vt_frame_feed_get_room (self->frame_feed, &vectors[0].size);
  if (vectors[0].buffer == NULL)
    n_bytes = vt_gate_base_read (self->base, vectors + 1, 1, error);
  else
    {
      vectors[1].size = BEHIND_PAYLOAD;
      n_bytes = vt_gate_base_read (self->base, vectors, 2, error);
    }
  if (n_bytes <= 0)
    return n_bytes;

  asked = vectors[0].size + vectors[1].size;
  self->emptied = vt_gate_base_is_socket (self->base) && (size_t) n_bytes < asked;
  direct = MIN ((size_t) n_bytes, vectors[0].size);
  if (direct > 0)
    vt_frame_feed_filled (self->frame_feed, direct);
  self->turn_bytes += direct;
  self->begin = self->allowed = BUFFER_BEGIN;
  self->end = BUFFER_BEGIN + n_bytes - direct;
  return n_bytes;
}

static gssize
fill (VtGateInput *self, GError **error)
{
  g_autoptr(VtGate) gate = g_object_ref (self->gate);
  gssize n_bytes = 0;

  self->unheard = 0;
  if (self->buffer == NULL)
    self->buffer = g_malloc (BUFFER_BEGIN + BUFFER_SIZE);
  n_bytes = read_base (self, error);
  if (n_bytes <= 0)
    {
      self->readable = n_bytes == 0;
      self->turn_bytes = 0;
      release_buffer (self);
      return n_bytes;
    }

  self->readable = !self->emptied;
  inspect (self);

  /* Whoever hears this may close everything. */
  vt_gate_bytes_came (gate);
  return n_bytes;
}

static gboolean
is_turn_over (VtGateInput *self)
{
  if (self->turn_bytes == 0)
    {
      self->turn_began = g_get_monotonic_time ();
      return FALSE;
    }
  return self->turn_bytes >= TURN_BYTES || g_get_monotonic_time () - self->turn_began >= TURN_TIME;
}

/* libsoup reads a turn of the main loop later, and copies and signals take it longer than all that
 * becomes of a small message. So a message is handed on at once if it can be no other than the next
 * that libsoup would tell of: libsoup waits, and holds no part of anything. */
static gboolean
may_pass (VtGateInput *self)
{
  return self->frame_feed != NULL && !self->passing && self->error == NULL && !self->paused
         && !self->refused && vt_gate_takes_messages (self->gate)
         && vt_ready_set_is_wanted (&self->ready) && vt_frame_walk_is_between (&self->handed)
         && !vt_frame_feed_is_intricate (self->frame_feed);
}

/* Whoever hears of a message may pause the gate, or end it. */
static void
pass_messages (VtGateInput *self)
{
  while (self->gate != NULL && self->begin < self->allowed && !self->paused
         && vt_gate_takes_messages (self->gate) && !is_turn_over (self))
    {
      g_autoptr(GBytes) message = NULL;
      size_t length = vt_frame_feed_next_message (self->frame_feed, self->buffer + self->begin,
                                                  self->allowed - self->begin, &message);

      if (length == 0)
        return;
      self->begin += length;
      self->turn_bytes += length;
      if (self->begin == self->end)
        release_buffer (self);
      vt_gate_message_came (self->gate, message);
    }
}

/* Reads for as long as libsoup would in a dispatch. What is left then is libsoup's, in another. */
static void
read_past_libsoup (VtGateInput *self)
{
  gssize n_bytes = 1;

  self->passing = TRUE;
  self->turn_bytes = 0;
  pass_messages (self);
  while (n_bytes > 0 && !self->emptied && self->gate != NULL && !self->paused && !self->refused
         && vt_gate_takes_messages (self->gate) && self->begin == self->end && may_read_base (self)
         && !is_turn_over (self))
    {
      n_bytes = fill (self, &self->error);
      if (n_bytes > 0)
        pass_messages (self);
    }
  self->passing = FALSE;
  self->unheard = 0;
  if (self->begin == self->end)
    self->turn_bytes = 0;
  if (g_error_matches (self->error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK))
    g_clear_error (&self->error);
  /* The poller tells again of what is left in a socket. */
  if (n_bytes > 0 && self->base != NULL && vt_gate_base_is_socket (self->base))
    self->readable = FALSE;
}

static gssize
vt_gate_input_read_nonblocking (GPollableInputStream *pollable,
                                void *buffer,
                                size_t count,
                                GError **error)
{
  VtGateInput *self = VT_GATE_INPUT (pollable);

  if (self->gate == NULL)
    return is_shut (error);
  take_answer (self);
  if (self->paused || self->passing || is_turn_over (self))
    return would_block (self, error);

  drop_messages (self);
  while (self->begin == self->allowed)
    {
      gboolean emptied = self->emptied;
      gssize n_bytes = 0;

      self->emptied = FALSE;
      if (self->error != NULL)
        {
          g_propagate_error (error, g_steal_pointer (&self->error));
          return -1;
        }
      if (emptied || self->refused || self->begin < self->end || !may_read_base (self)
          || is_turn_over (self))
        return would_block (self, error);
      n_bytes = fill (self, error);
      if (n_bytes <= 0)
        return n_bytes;
      if (self->gate == NULL)
        return is_shut (error);
      if (self->paused)
        return would_block (self, error);
      drop_messages (self);
    }

  count = MIN (count, self->allowed - self->begin);
  /* One frame at most, so that the clock is looked at before the next. */
  if (self->frame_feed != NULL)
    count = vt_frame_walk_step_frame (&self->handed, self->buffer + self->begin, count);
  memcpy (buffer, self->buffer + self->begin, count);
  self->begin += count;
  self->turn_bytes += count;
  if (self->begin == self->end)
    release_buffer (self);
  return count;
}

/* Nobody in the owner's thread may wait; in another, nothing of this may be touched. */
static gssize
vt_gate_input_read (GInputStream *stream,
                    void *buffer,
                    size_t count,
                    GCancellable *cancellable,
                    GError **error)
{
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
                       _ ("This stream can only be read without blocking"));
  return -1;
}

static gboolean
vt_gate_input_is_readable (GPollableInputStream *pollable)
{
  return is_ready (pollable);
}

static GSource *
vt_gate_input_create_source (GPollableInputStream *pollable, GCancellable *cancellable)
{
  VtGateInput *self = VT_GATE_INPUT (pollable);
  GSource *source = vt_ready_set_create_source (&self->ready, G_OBJECT (self), cancellable);

  g_source_set_priority (source, VT_SOURCE_PRIORITY);
  if (self->gate != NULL)
    vt_gate_update_interest (self->gate);
  return source;
}

static void
vt_gate_input_finalize (GObject *object)
{
  VtGateInput *self = VT_GATE_INPUT (object);

  release_buffer (self);
  g_clear_pointer (&self->frame_feed, vt_frame_feed_free);
  g_clear_error (&self->error);
  vt_ready_set_clear (&self->ready);
  G_OBJECT_CLASS (vt_gate_input_parent_class)->finalize (object);
}

static void
vt_gate_input_pollable_init (GPollableInputStreamInterface *iface)
{
  iface->is_readable = vt_gate_input_is_readable;
  iface->create_source = vt_gate_input_create_source;
  iface->read_nonblocking = vt_gate_input_read_nonblocking;
}

static void
vt_gate_input_class_init (VtGateInputClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = vt_gate_input_finalize;
  G_INPUT_STREAM_CLASS (klass)->read_fn = vt_gate_input_read;
}

static void
vt_gate_input_init (VtGateInput *self)
{
}

VtGateInput *
vt_gate_input_new (VtGate *gate, VtGateBase *base, VtClock *clock)
{
  VtGateInput *self = g_object_new (VT_TYPE_GATE_INPUT, NULL);

  self->gate = gate;
  self->base = base;
  vt_ready_set_init (&self->ready, is_ready, self, clock);
  return self;
}

static void
wake (VtGateInput *self)
{
  vt_ready_set_wake (&self->ready);
  if (self->gate != NULL)
    vt_gate_update_interest (self->gate);
}

/* No guard looks at it yet: the one that is put on next does. */
void
vt_gate_input_unread (VtGateInput *self, const void *data, size_t length)
{
  g_assert (self->buffer == NULL);

  self->buffer = g_malloc (BUFFER_BEGIN + BUFFER_SIZE);
  memcpy (self->buffer + BUFFER_BEGIN, data, length);
  self->begin = self->allowed = BUFFER_BEGIN;
  self->end = BUFFER_BEGIN + length;
}

void
vt_gate_input_guard_head (VtGateInput *self, size_t max_head)
{
  vt_head_guard_init (&self->head_guard, max_head);
  self->guards_head = TRUE;
}

void
vt_gate_input_guard_frames (VtGateInput *self, const VtFrameLimits *limits)
{
  self->guards_head = FALSE;
  self->answered = FALSE;
  self->allowed = self->begin;
  self->frame_feed = vt_frame_feed_new (limits);
  vt_ready_set_park (&self->ready);
  if (self->begin < self->end)
    inspect (self);
  wake (self);
}

GBytes *
vt_gate_input_take_payload (VtGateInput *self, guint64 number)
{
  return self->frame_feed != NULL ? vt_frame_feed_take_payload (self->frame_feed, number) : NULL;
}

void
vt_gate_input_set_paused (VtGateInput *self, gboolean paused)
{
  self->paused = paused;
  self->unheard = 0;
  wake (self);
}

/* For good. What was read and not handed on is dropped: who broke a rule may hear so before being
 * cut, but a buffer for each of those would be more than they are worth. */
void
vt_gate_input_stop (VtGateInput *self)
{
  self->refused = TRUE;
  release_buffer (self);
  wake (self);
}

void
vt_gate_input_drop_messages (VtGateInput *self)
{
  self->drops = TRUE;
  drop_messages (self);
  wake (self);
}

void
vt_gate_input_tell_readable (VtGateInput *self)
{
  if (self->readable)
    self->unheard++;
  self->readable = TRUE;
  self->emptied = FALSE;
  if (may_pass (self))
    {
      read_past_libsoup (self);
      wake (self);
      return;
    }
  if (!vt_ready_set_is_wanted (&self->ready))
    self->unheard = MAX_UNHEARD;
  vt_ready_set_wake (&self->ready);
  if (self->unheard >= MAX_UNHEARD)
    vt_gate_update_interest (self->gate);
}

void
vt_gate_input_tell_answered (VtGateInput *self)
{
  if (self->guards_head)
    {
      self->answered = TRUE;
      wake (self);
    }
  else if (self->owed)
    {
      self->owed = FALSE;
      wake (self);
    }
}

gboolean
vt_gate_input_wants (VtGateInput *self)
{
  if (self->paused || self->refused || !may_read_base (self))
    return FALSE;
  /* Another stream than a socket would only say again what is known. */
  if (self->readable && !vt_gate_base_is_socket (self->base))
    return FALSE;
  return self->unheard < MAX_UNHEARD && vt_ready_set_is_wanted (&self->ready);
}

guint64
vt_gate_input_get_n_pings (VtGateInput *self)
{
  return self->frame_feed != NULL ? vt_frame_feed_get_n_pings (self->frame_feed) : 0;
}

void
vt_gate_input_shut (VtGateInput *self)
{
  self->gate = NULL;
  self->base = NULL;
  release_buffer (self);
  vt_ready_set_wake (&self->ready);
}
