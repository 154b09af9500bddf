/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-poller-private.h"

#include <errno.h>
#include <gio/gio.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "vt-clock-private.h"
#include "vt-per-context-private.h"
#include "vt-source-private.h"

/* How many events one system call brings, and for how long one dispatch works on them. */
#define BATCH 128
#define DISPATCH_BUDGET (G_TIME_SPAN_MILLISECOND / 2)

struct _VtPoller {
  VtPerContext base;
  GSource *source;                  /* owned */
  int epoll_fd;                     /* owned, -1 until there is a first watch */
  VtClock *clock;                   /* owned, NULL until then: of the same context */
  GPtrArray *watches;               /* owned, the watches (not owned) by descriptor, with gaps */
  guint32 generation;               /* of the last watch */
  GQueue changed;                   /* of watches (not owned), by their links */
  struct epoll_event events[BATCH]; /* what the kernel said; a dispatch may leave some of it */
  int n_events;
  int next_event;
};

struct _VtWatch {
  VtPoller *poller; /* owned */
  int fd;           /* the caller's */
  guint32 generation;
  GIOCondition condition; /* what the caller wants */
  GIOCondition armed;     /* what the kernel was told */
  GList changed;          /* its data is NULL while it is in no list */
  gboolean busy;          /* its function runs, and is not to be called again meanwhile */
  gboolean reentrant;
  VtWatchFunc func;
  void *user_data; /* the caller's */
};

typedef struct {
  GSource source;
  VtPoller *poller; /* not owned: the poller owns the source */
} PollerSource;

/* A watch with nothing to wait for stays in the set, edge-triggered: the kernel always reports
 * hang-ups, but so it does once, and not on every turn. Coming back cannot fail then. */
static guint32
to_events (GIOCondition condition)
{
  guint32 events = 0;

  if ((condition & (G_IO_IN | G_IO_OUT)) == 0)
    return EPOLLET;
  if (condition & G_IO_IN)
    events |= EPOLLIN | EPOLLRDHUP;
  if (condition & G_IO_OUT)
    events |= EPOLLOUT;
  return events;
}

static GIOCondition
from_events (guint32 events)
{
  GIOCondition condition = 0;

  if (events & EPOLLIN)
    condition |= events & EPOLLRDHUP ? G_IO_IN | VT_POLLER_LAST : G_IO_IN;
  if (events & EPOLLOUT)
    condition |= G_IO_OUT;
  if (events & EPOLLERR)
    condition |= G_IO_ERR;
  if (events & EPOLLHUP)
    condition |= G_IO_HUP;
  return condition;
}

/* An event names its watch by descriptor and generation, not by address: what the kernel said of
 * a watch that is gone finds nothing, even if the descriptor is somebody else's by now. */
static guint64
key_of (VtWatch *watch)
{
  return (guint64) watch->generation << 32 | (guint32) watch->fd;
}

static VtWatch *
find_watch (VtPoller *self, guint64 key)
{
  guint32 fd = (guint32) key;
  VtWatch *watch = fd < self->watches->len ? g_ptr_array_index (self->watches, fd) : NULL;

  return watch != NULL && key_of (watch) == key ? watch : NULL;
}

static gboolean
control (VtWatch *self, int operation, GIOCondition condition)
{
  struct epoll_event event = { .events = to_events (condition), .data.u64 = key_of (self) };

  self->armed = condition;
  return epoll_ctl (self->poller->epoll_fd, operation, self->fd, &event) == 0;
}

static void
arm (VtWatch *self, GIOCondition condition)
{
  if (self->armed != condition && !control (self, EPOLL_CTL_MOD, condition))
    g_critical ("A watched descriptor was closed: %s", g_strerror (errno));
}

static void
unmark (VtWatch *self)
{
  if (self->changed.data != NULL)
    g_queue_unlink (&self->poller->changed, &self->changed);
  self->changed.data = NULL;
}

static void
mark (VtWatch *self)
{
  if (self->armed == self->condition || self->changed.data != NULL)
    return;
  self->changed.data = self;
  g_queue_push_tail_link (&self->poller->changed, &self->changed);
}

/* The kernel is told before it is asked the next time: of a condition that comes and goes within a
 * dispatch, or goes with its watch, it need not hear. */
static void
tell_changes (VtPoller *self)
{
  VtWatch *watch;

  while ((watch = g_queue_peek_head (&self->changed)) != NULL)
    {
      unmark (watch);
      arm (watch, watch->condition);
    }
}

static void
handle_event (VtPoller *self, const struct epoll_event *event)
{
  guint64 key = event->data.u64;
  VtWatch *watch = find_watch (self, key);
  GIOCondition condition;

  if (watch == NULL || watch->condition == 0)
    return;

  /* Its function runs a main loop: there, the others go on, and it is not called again. */
  if (watch->busy)
    {
      arm (watch, 0);
      return;
    }

  condition =
      from_events (event->events) & (watch->condition | G_IO_ERR | G_IO_HUP | VT_POLLER_LAST);
  if ((condition & ~VT_POLLER_LAST) == 0)
    return;

  watch->busy = !watch->reentrant;
  watch->func (condition, watch->user_data);
  if (find_watch (self, key) != watch)
    return;
  watch->busy = FALSE;
  mark (watch);
}

static gboolean
next_batch (VtPoller *self)
{
  int n;

  tell_changes (self);
  n = epoll_wait (self->epoll_fd, self->events, BATCH, 0);
  self->n_events = MAX (n, 0);
  self->next_event = 0;
  return n > 0;
}

static gboolean
poller_source_prepare (GSource *source, int *timeout)
{
  VtPoller *self = ((PollerSource *) source)->poller;

  *timeout = -1;
  if (self->next_event < self->n_events)
    return TRUE;
  tell_changes (self);
  return FALSE;
}

/* FALSE if the time was not enough. */
static gboolean
handle_batch (VtPoller *self, gint64 end)
{
  while (self->next_event < self->n_events)
    {
      struct epoll_event event = self->events[self->next_event++];

      handle_event (self, &event);
      if (g_get_monotonic_time () >= end)
        return FALSE;
    }
  return TRUE;
}

/* What the time does not suffice for waits in `events`: asking the kernel anew would favour the
 * first descriptors of its list for ever. */
static gboolean
poller_source_dispatch (GSource *source, GSourceFunc callback, gpointer user_data)
{
  g_autoptr(VtPoller) self = vt_poller_ref (((PollerSource *) source)->poller);
  gint64 end = g_get_monotonic_time () + DISPATCH_BUDGET;

  while ((self->next_event < self->n_events || next_batch (self)) && handle_batch (self, end)
         && self->n_events == BATCH)
    ;
  vt_clock_end_dispatch (self->clock);
  return G_SOURCE_CONTINUE;
}

static GSourceFuncs poller_source_funcs = {
  .prepare = poller_source_prepare,
  .dispatch = poller_source_dispatch,
};

static VtPerContext *
poller_create (GMainContext *context)
{
  VtPoller *self = vt_per_context_alloc (sizeof (VtPoller), context);

  self->epoll_fd = -1;
  self->watches = g_ptr_array_new ();
  self->source = g_source_new (&poller_source_funcs, sizeof (PollerSource));
  ((PollerSource *) self->source)->poller = self;
  g_source_set_static_name (self->source, "[vtunnel] poller");
  g_source_set_priority (self->source, VT_SOURCE_PRIORITY);
  g_source_set_can_recurse (self->source, TRUE);
  g_source_attach (self->source, context);
  return &self->base;
}

static void
poller_free (VtPerContext *base)
{
  VtPoller *self = (VtPoller *) base;

  vt_source_destroy (self->source);
  g_clear_pointer (&self->clock, vt_clock_unref);
  if (self->epoll_fd >= 0)
    close (self->epoll_fd);
  g_ptr_array_unref (self->watches);
  vt_per_context_dealloc (base);
}

static VtPerContextKind poller_kind = { .create = poller_create, .free = poller_free };

VtPoller *
vt_poller_get (GMainContext *context)
{
  return vt_per_context_get (&poller_kind, context);
}

VtPoller *
vt_poller_ref (VtPoller *self)
{
  return vt_per_context_ref (&self->base);
}

void
vt_poller_unref (VtPoller *self)
{
  vt_per_context_unref (&poller_kind, &self->base);
}

/* The set is made with the first watch, so that a lack of descriptors has somewhere to be said. */
static gboolean
ensure_epoll (VtPoller *self)
{
  if (self->epoll_fd >= 0)
    return TRUE;
  self->epoll_fd = epoll_create1 (EPOLL_CLOEXEC);
  if (self->epoll_fd < 0)
    return FALSE;
  self->clock = vt_clock_get (self->base.context);
  g_source_add_unix_fd (self->source, self->epoll_fd, G_IO_IN);
  return TRUE;
}

VtWatch *
vt_watch_new (VtPoller *poller,
              int fd,
              GIOCondition condition,
              VtWatchFunc func,
              void *user_data,
              GError **error)
{
  VtWatch *self = g_new0 (VtWatch, 1);

  self->poller = vt_poller_ref (poller);
  self->fd = fd;
  self->generation = ++poller->generation;
  self->condition = condition;
  self->func = func;
  self->user_data = user_data;

  if (!ensure_epoll (poller) || !control (self, EPOLL_CTL_ADD, condition))
    {
      int code = errno;

      g_set_error_literal (error, G_IO_ERROR, g_io_error_from_errno (code), g_strerror (code));
      vt_poller_unref (self->poller);
      g_free (self);
      return NULL;
    }

  if ((unsigned int) fd >= poller->watches->len)
    g_ptr_array_set_size (poller->watches, fd + 1);
  g_ptr_array_index (poller->watches, fd) = self;
  return self;
}

void
vt_watch_set_reentrant (VtWatch *self)
{
  self->reentrant = TRUE;
}

void
vt_watch_set_condition (VtWatch *self, GIOCondition condition)
{
  self->condition = condition;
  mark (self);
}

void
vt_watch_free (VtWatch *self)
{
  VtPoller *poller = self->poller;

  unmark (self);
  control (self, EPOLL_CTL_DEL, 0);
  g_ptr_array_index (poller->watches, self->fd) = NULL;
  g_free (self);
  vt_poller_unref (poller);
}
