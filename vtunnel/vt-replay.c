/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-replay-private.h"

#include "vt-codec-binary-private.h"
#include "vt-error.h"

/* Input is acknowledged at the end of a dispatch once this much waits for it, and otherwise so long
 * after the first message that does. */
#define ACK_BYTES (128 * 1024)
#define ACK_DELAY (100 * G_TIME_SPAN_MILLISECOND)

/* What a kept message takes besides its bytes: the GBytes, what malloc () adds to it and to the
 * bytes, and a slot, twice, because up to half of the slots are empty. */
#define MESSAGE_COST 100

/* The first number of slots; and more than so many are given back when nothing is kept. */
#define MIN_SLOTS 16
#define MAX_IDLE_SLOTS 1024

typedef struct {
  GBytes *message; /* owned */
  gboolean text;
} Slot;

/* Positions count the counted messages of the session, from 0: a position is how many came before.
 * Always forgotten <= next <= end. */
struct _VtReplay {
  VtReplayHandlers handlers;
  void *user_data; /* the caller's */
  gboolean attached;
  gboolean catching_up; /* the link has not taken yet what a former one has lost */

  Slot *slots;       /* owned, a ring: that of a position is at its remainder; NULL if none */
  size_t n_slots;    /* a power of two, or 0 */
  guint64 forgotten; /* all before this were acknowledged */
  guint64 next;      /* the next one to go out over the link; the other side can have all before */
  guint64 end;       /* all before this were handed in */
  size_t kept;
  gboolean sending; /* send_waiting () is on the stack */

  guint64 received;
  guint64 told;     /* of these, the other side knows that they came */
  size_t untold;    /* bytes of the others */
  VtTimer *ack_due; /* owned */
};

static gboolean
refuse (GError **error, const char *problem)
{
  /* Nobody but a log reads this. */
  g_set_error_literal (error, VT_ERROR, VT_ERROR_PROTOCOL, problem);
  return FALSE;
}

static Slot *
get_slot (VtReplay *self, guint64 position)
{
  return &self->slots[position & (self->n_slots - 1)];
}

static void
grow (VtReplay *self)
{
  size_t n_slots = MAX (2 * self->n_slots, MIN_SLOTS);
  Slot *slots = g_new (Slot, n_slots);

  for (guint64 position = self->forgotten; position < self->end; position++)
    slots[position & (n_slots - 1)] = *get_slot (self, position);
  g_free (self->slots);
  self->slots = slots;
  self->n_slots = n_slots;
}

static void
keep (VtReplay *self, GBytes *message, gboolean text)
{
  if (self->end - self->forgotten == self->n_slots)
    grow (self);
  *get_slot (self, self->end++) = (Slot){ g_bytes_ref (message), text };
  self->kept += g_bytes_get_size (message) + MESSAGE_COST;
}

static void
forget (VtReplay *self, guint64 until)
{
  for (; self->forgotten < until; self->forgotten++)
    {
      GBytes *message = get_slot (self, self->forgotten)->message;

      self->kept -= g_bytes_get_size (message) + MESSAGE_COST;
      g_bytes_unref (message);
    }
  if (self->forgotten == self->end && self->n_slots > MAX_IDLE_SLOTS)
    {
      g_clear_pointer (&self->slots, g_free);
      self->n_slots = 0;
    }
}

/* What is new goes out past a full link, but never past what is older. What the handler hands in,
 * or takes away, is seen by the loop that called it: so the order is kept, whatever the handler
 * does. */
static void
send_waiting (VtReplay *self)
{
  if (self->sending)
    return;

  self->sending = TRUE;
  while (self->attached && self->next < self->end
         && (!self->catching_up || self->handlers.has_room (self->user_data)))
    {
      Slot *slot = get_slot (self, self->next++);
      g_autoptr(GBytes) message = g_bytes_ref (slot->message);

      self->handlers.send (message, slot->text, self->user_data);
    }
  self->catching_up &= self->next < self->end;
  self->sending = FALSE;
}

/* The other side knows of all that came. */
static void
note_told (VtReplay *self)
{
  self->told = self->received;
  self->untold = 0;
}

static void
ack_due_cb (void *user_data)
{
  VtReplay *self = user_data;
  uint8_t frame[VT_BINARY_ACK_SIZE];
  g_autoptr(GBytes) message = NULL;

  note_told (self);
  message = g_bytes_new (frame, vt_codec_binary_write_ack (frame, self->told));
  self->handlers.send (message, FALSE, self->user_data);
}

VtReplay *
vt_replay_new (VtClock *clock, const VtReplayHandlers *handlers, void *user_data)
{
  VtReplay *self = g_new0 (VtReplay, 1);

  self->handlers = *handlers;
  self->user_data = user_data;
  self->ack_due = vt_timer_new (clock, "replay acknowledgement", ack_due_cb, self);
  return self;
}

void
vt_replay_free (VtReplay *self)
{
  g_assert (!self->sending);

  forget (self, self->end);
  g_free (self->slots);
  vt_timer_free (self->ack_due);
  g_free (self);
}

void
vt_replay_send (VtReplay *self, GBytes *message, gboolean text)
{
  keep (self, message, text);
  send_waiting (self);
}

size_t
vt_replay_get_kept (VtReplay *self)
{
  return self->kept;
}

/* Without a link there is nothing to say: the next greeting will. */
void
vt_replay_note_received (VtReplay *self, size_t length)
{
  gboolean was_much = self->untold >= ACK_BYTES;
  gboolean is_first = self->told == self->received;

  self->received++;
  self->untold += length;
  if (!self->attached)
    return;

  if (self->untold >= ACK_BYTES && !was_much)
    vt_timer_start_soon (self->ack_due);
  else if (is_first)
    vt_timer_start (self->ack_due, ACK_DELAY);
}

guint64
vt_replay_get_received (VtReplay *self)
{
  return self->received;
}

/* What was handed in while there was no link went to nobody yet, and nobody can have it. Nor has
 * anybody what the last link did not come to: the one before had lost it. */
gboolean
vt_replay_acknowledge (VtReplay *self, guint64 received, GError **error)
{
  if (received < self->forgotten)
    return refuse (error, "The other side takes an acknowledgement back");
  if (received > self->next)
    return refuse (error, "The other side acknowledges what was not sent");

  forget (self, received);
  return TRUE;
}

gboolean
vt_replay_attach (VtReplay *self, guint64 received, GError **error)
{
  g_assert (!self->attached);

  if (!vt_replay_acknowledge (self, received, error))
    return FALSE;

  self->attached = self->catching_up = TRUE;
  self->next = received;
  note_told (self);
  send_waiting (self);
  return TRUE;
}

void
vt_replay_continue (VtReplay *self)
{
  send_waiting (self);
}

gboolean
vt_replay_is_behind (VtReplay *self)
{
  return !self->attached || self->next < self->end;
}

void
vt_replay_detach (VtReplay *self)
{
  self->attached = FALSE;
  vt_timer_stop (self->ack_due);
}
