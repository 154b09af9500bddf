/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-clock-private.h"

#include "vt-per-context-private.h"
#include "vt-source-private.h"

/* One dispatch fires timers for this long, in microseconds, and leaves what else is due to the next
 * one. So does the end of a dispatch with those that are due soon. */
#define DISPATCH_BUDGET 500

#define NOT_RUNNING G_MAXUINT
/* Not in the heap, but among those that are due soon. */
#define SOON (G_MAXUINT - 1)

struct _VtClock {
  VtPerContext base;
  GSource *source;  /* owned; NULL in a fake clock */
  GPtrArray *heap;  /* owned, the running timers (not owned), the earliest first */
  GQueue soon;      /* of timers (not owned), by their links: at the end of the dispatch */
  guint64 sequence; /* how many times a timer was started */
  gint64 now;       /* fake clocks only */
};

struct _VtTimer {
  VtClock *clock;   /* owned */
  const char *name; /* static */
  VtTimerFunc func;
  void *user_data; /* the caller's */
  gint64 deadline;
  guint64 sequence;   /* tells timers of one deadline apart: first started, first fired */
  unsigned int index; /* in the heap, or SOON, or NOT_RUNNING */
  GList soon;
};

typedef struct {
  GSource source;
  VtClock *clock; /* not owned: the clock owns the source */
} ClockSource;

static VtTimer *
earliest (VtClock *self)
{
  return self->heap->len > 0 ? g_ptr_array_index (self->heap, 0) : NULL;
}

static gboolean
is_before (const VtTimer *a, const VtTimer *b)
{
  return a->deadline < b->deadline || (a->deadline == b->deadline && a->sequence < b->sequence);
}

static void
place (VtClock *self, VtTimer *timer, unsigned int index)
{
  g_ptr_array_index (self->heap, index) = timer;
  timer->index = index;
}

static void
sift_up (VtClock *self, VtTimer *timer)
{
  unsigned int index = timer->index;

  while (index > 0)
    {
      unsigned int parent = (index - 1) / 2;
      VtTimer *other = g_ptr_array_index (self->heap, parent);

      if (!is_before (timer, other))
        break;
      place (self, other, index);
      index = parent;
    }
  place (self, timer, index);
}

static void
sift_down (VtClock *self, VtTimer *timer)
{
  unsigned int index = timer->index;
  unsigned int child;

  while ((child = 2 * index + 1) < self->heap->len)
    {
      VtTimer *other = g_ptr_array_index (self->heap, child);

      if (child + 1 < self->heap->len
          && is_before (g_ptr_array_index (self->heap, child + 1), other))
        other = g_ptr_array_index (self->heap, ++child);
      if (!is_before (other, timer))
        break;
      place (self, other, index);
      index = child;
    }
  place (self, timer, index);
}

static void
heap_add (VtClock *self, VtTimer *timer)
{
  timer->index = self->heap->len;
  g_ptr_array_add (self->heap, timer);
  sift_up (self, timer);
}

static void
heap_remove (VtClock *self, VtTimer *timer)
{
  unsigned int index = timer->index;
  VtTimer *last = g_ptr_array_steal_index (self->heap, self->heap->len - 1);

  timer->index = NOT_RUNNING;
  if (last == timer)
    return;
  place (self, last, index);
  sift_up (self, last);
  sift_down (self, last);
}

/* The function may free the timer, so nothing of it is looked at afterwards. */
static void
fire (VtTimer *timer)
{
  heap_remove (timer->clock, timer);
  timer->func (timer->user_data);
}

static gboolean
clock_source_prepare (GSource *source, int *timeout)
{
  VtTimer *timer = earliest (((ClockSource *) source)->clock);
  gint64 remaining;

  *timeout = -1;
  if (((ClockSource *) source)->clock->soon.length > 0)
    {
      *timeout = 0;
      return TRUE;
    }
  if (timer == NULL)
    return FALSE;

  /* Rounded up, or the loop would turn idly through the last millisecond. */
  remaining = MAX (timer->deadline - g_source_get_time (source), 0);
  *timeout = (int) MIN (remaining / 1000 + (remaining % 1000 != 0), G_MAXINT);
  return remaining == 0;
}

static gboolean
clock_source_check (GSource *source)
{
  VtClock *self = ((ClockSource *) source)->clock;
  VtTimer *timer = earliest (self);

  return self->soon.length > 0 || (timer != NULL && timer->deadline <= g_source_get_time (source));
}

/* What a function starts anew with a delay of 0 is due at `now` at the earliest, and of those that
 * are due at the same time it is the last: when it is the earliest one, this dispatch is done. */
static gboolean
clock_source_dispatch (GSource *source, GSourceFunc callback, gpointer user_data)
{
  g_autoptr(VtClock) self = vt_clock_ref (((ClockSource *) source)->clock);
  gint64 now = g_get_monotonic_time ();
  gint64 begun = now;
  guint64 limit = self->sequence;
  VtTimer *timer;

  while ((timer = earliest (self)) != NULL && timer->deadline <= now && timer->sequence < limit)
    {
      const char *name = timer->name;
      gint64 ended;

      fire (timer);
      ended = g_get_monotonic_time ();
      if (ended - begun < DISPATCH_BUDGET)
        continue;
      g_debug ("Timers held the main loop for %" G_GINT64_FORMAT " µs, the last was %s",
               ended - begun, name);
      break;
    }
  vt_clock_end_dispatch (self);
  return G_SOURCE_CONTINUE;
}

/* A prepare function and no ready time: setting one wakes the main loop up with a system call,
 * and timers are started far more often than the loop turns. */
static GSourceFuncs clock_source_funcs = {
  .prepare = clock_source_prepare,
  .check = clock_source_check,
  .dispatch = clock_source_dispatch,
};

static VtClock *
clock_new (GMainContext *context)
{
  VtClock *self = vt_per_context_alloc (sizeof (VtClock), context);

  self->heap = g_ptr_array_new ();
  return self;
}

static VtPerContext *
clock_create (GMainContext *context)
{
  VtClock *self = clock_new (context);

  self->source = g_source_new (&clock_source_funcs, sizeof (ClockSource));
  ((ClockSource *) self->source)->clock = self;
  g_source_set_static_name (self->source, "[vtunnel] clock");
  g_source_set_priority (self->source, VT_SOURCE_PRIORITY);
  /* An application may run a loop of its own inside a timer's function; time goes on there. */
  g_source_set_can_recurse (self->source, TRUE);
  g_source_attach (self->source, context);
  return &self->base;
}

static void
clock_free (VtPerContext *base)
{
  VtClock *self = (VtClock *) base;

  g_clear_pointer (&self->source, vt_source_destroy);
  g_ptr_array_unref (self->heap);
  vt_per_context_dealloc (base);
}

static VtPerContextKind clock_kind = { .create = clock_create, .free = clock_free };

VtClock *
vt_clock_get (GMainContext *context)
{
  return vt_per_context_get (&clock_kind, context);
}

VtClock *
vt_clock_new_fake (void)
{
  return clock_new (NULL);
}

VtClock *
vt_clock_ref (VtClock *self)
{
  return vt_per_context_ref (&self->base);
}

void
vt_clock_unref (VtClock *self)
{
  vt_per_context_unref (&clock_kind, &self->base);
}

static void
remove_soon (VtClock *self, VtTimer *timer)
{
  g_queue_unlink (&self->soon, &timer->soon);
  timer->index = NOT_RUNNING;
}

/* What starts itself again and again goes on in the next dispatch. */
void
vt_clock_end_dispatch (VtClock *self)
{
  g_autoptr(VtClock) alive = NULL;
  gint64 end;

  if (self->soon.length == 0)
    return;
  alive = vt_clock_ref (self);
  end = g_get_monotonic_time () + DISPATCH_BUDGET;
  do
    {
      VtTimer *timer = g_queue_peek_head (&self->soon);

      remove_soon (self, timer);
      timer->func (timer->user_data);
    }
  while (self->soon.length > 0 && g_get_monotonic_time () < end);
}

gint64
vt_clock_get_time (VtClock *self)
{
  return self->source != NULL ? g_get_monotonic_time () : self->now;
}

void
vt_clock_advance (VtClock *self, gint64 microseconds)
{
  g_autoptr(VtClock) alive = vt_clock_ref (self);
  gint64 target = self->now + microseconds;
  guint64 limit = self->sequence;
  VtTimer *timer;

  g_assert (self->source == NULL && microseconds >= 0);

  while ((timer = earliest (self)) != NULL && timer->deadline <= target)
    {
      gboolean is_new = timer->deadline <= self->now && timer->sequence >= limit;

      /* What was started with a delay of 0 a moment ago wants a later moment, so that one that
       * starts itself again and again does not hold the time. */
      if (is_new && self->now >= target)
        break;
      if (is_new || timer->deadline > self->now)
        {
          self->now = MAX (timer->deadline, self->now + 1);
          limit = self->sequence;
        }
      fire (timer);
    }
  self->now = MAX (self->now, target);
}

void
vt_clock_oversleep (VtClock *self, gint64 microseconds)
{
  g_assert (self->source == NULL && microseconds >= 0);

  self->now += microseconds;
}

VtTimer *
vt_timer_new (VtClock *clock, const char *name, VtTimerFunc func, void *user_data)
{
  VtTimer *self = g_new0 (VtTimer, 1);

  self->clock = vt_clock_ref (clock);
  self->name = name;
  self->func = func;
  self->user_data = user_data;
  self->index = NOT_RUNNING;
  self->soon.data = self;
  return self;
}

void
vt_timer_start (VtTimer *self, gint64 delay)
{
  gint64 now = vt_clock_get_time (self->clock);

  vt_timer_stop (self);
  self->deadline = now + CLAMP (delay, 0, G_MAXINT64 - now);
  self->sequence = self->clock->sequence++;
  heap_add (self->clock, self);
}

void
vt_timer_start_soon (VtTimer *self)
{
  if (self->clock->source == NULL)
    {
      vt_timer_start (self, 0);
      return;
    }
  vt_timer_stop (self);
  self->index = SOON;
  g_queue_push_tail_link (&self->clock->soon, &self->soon);
}

void
vt_timer_stop (VtTimer *self)
{
  if (self->index == SOON)
    remove_soon (self->clock, self);
  else if (vt_timer_is_running (self))
    heap_remove (self->clock, self);
}

gboolean
vt_timer_is_running (VtTimer *self)
{
  return self->index != NOT_RUNNING;
}

void
vt_timer_free (VtTimer *self)
{
  vt_timer_stop (self);
  vt_clock_unref (self->clock);
  g_free (self);
}
