/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-penalties-private.h"

#include <stdint.h>
#include <string.h>

#include "vt-inet-place-private.h"

#define MAX_OFFENDERS 4096
#define FREE_FAILURES 5
#define WINDOW (60 * G_TIME_SPAN_SECOND)
#define FIRST_WAIT (1 * G_TIME_SPAN_SECOND)
#define LONGEST_WAIT (5 * 60 * G_TIME_SPAN_SECOND)
#define FORGOTTEN_AFTER (10 * 60 * G_TIME_SPAN_SECOND)

typedef struct {
  GList link; /* in `order` */
  VtInetPlace place;
  unsigned int n_failures; /* since `begin`, while there is no wait yet */
  gint64 begin;
  gint64 last;  /* when the last failure was */
  gint64 wait;  /* how long it had to wait last, 0: it never had to */
  gint64 until; /* when that is over */
} Offender;

struct _VtPenalties {
  VtClock *clock;        /* owned */
  GHashTable *offenders; /* owned, set of Offender, by their places */
  GQueue order;          /* of the same: the one with the latest failure last */
};

static unsigned int
hash_place (const void *value)
{
  const VtInetPlace *place = value;
  uint64_t bits;

  memcpy (&bits, place->bytes, sizeof bits);
  bits = (bits ^ place->family) * UINT64_C (0x9e3779b97f4a7c15);
  return (unsigned int) (bits >> 32);
}

static gboolean
equal_places (const void *one, const void *other)
{
  return vt_inet_place_equal (one, other);
}

VtPenalties *
vt_penalties_new (VtClock *clock)
{
  VtPenalties *self = g_new0 (VtPenalties, 1);

  self->clock = vt_clock_ref (clock);
  self->offenders = g_hash_table_new_full (hash_place, equal_places, NULL, g_free);
  g_queue_init (&self->order);
  return self;
}

void
vt_penalties_free (VtPenalties *self)
{
  g_hash_table_unref (self->offenders);
  vt_clock_unref (self->clock);
  g_free (self);
}

static void
forget (VtPenalties *self, Offender *offender)
{
  g_queue_unlink (&self->order, &offender->link);
  g_hash_table_remove (self->offenders, &offender->place);
}

/* That is later than the longest wait is over. */
static void
forget_old (VtPenalties *self, gint64 now)
{
  Offender *offender;

  while ((offender = g_queue_peek_head (&self->order)) != NULL
         && now - offender->last >= FORGOTTEN_AFTER)
    forget (self, offender);
}

static Offender *
find (VtPenalties *self, GInetAddress *address, gint64 now)
{
  VtInetPlace place = vt_inet_place_of (address);

  forget_old (self, now);
  return g_hash_table_lookup (self->offenders, &place);
}

static Offender *
add (VtPenalties *self, GInetAddress *address, gint64 now)
{
  Offender *offender = g_new0 (Offender, 1);

  if (g_hash_table_size (self->offenders) >= MAX_OFFENDERS)
    forget (self, g_queue_peek_head (&self->order));
  offender->link.data = offender;
  offender->place = vt_inet_place_of (address);
  offender->begin = now;
  g_hash_table_insert (self->offenders, &offender->place, offender);
  g_queue_push_tail_link (&self->order, &offender->link);
  return offender;
}

static unsigned int
get_seconds (Offender *offender, gint64 now)
{
  if (offender == NULL || offender->until <= now)
    return 0;
  return (unsigned int) ((offender->until - now + G_TIME_SPAN_SECOND - 1) / G_TIME_SPAN_SECOND);
}

unsigned int
vt_penalties_get_wait (VtPenalties *self, GInetAddress *address)
{
  gint64 now = vt_clock_get_time (self->clock);

  return get_seconds (find (self, address, now), now);
}

unsigned int
vt_penalties_add_failure (VtPenalties *self, GInetAddress *address)
{
  gint64 now = vt_clock_get_time (self->clock);
  Offender *offender = find (self, address, now);

  if (offender == NULL)
    offender = add (self, address, now);
  g_queue_unlink (&self->order, &offender->link);
  g_queue_push_tail_link (&self->order, &offender->link);
  offender->last = now;
  if (offender->wait == 0 && now - offender->begin >= WINDOW)
    {
      offender->begin = now;
      offender->n_failures = 0;
    }
  offender->n_failures++;
  if (offender->wait > 0)
    offender->wait = MIN (offender->wait * 2, LONGEST_WAIT);
  else if (offender->n_failures >= FREE_FAILURES)
    offender->wait = FIRST_WAIT;
  offender->until = now + offender->wait;
  return get_seconds (offender, now);
}

gboolean
vt_penalties_has_waited (VtPenalties *self, GInetAddress *address)
{
  Offender *offender = find (self, address, vt_clock_get_time (self->clock));

  return offender != NULL && offender->wait > 0;
}

unsigned int
vt_penalties_get_size (VtPenalties *self)
{
  return g_hash_table_size (self->offenders);
}
