/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

/* The poller of systems without epoll: each watch is a source, and the set is the main context
 * itself. A VtPoller is nothing but a GMainContext here. */

#include "vt-poller-private.h"

#include <glib-unix.h>

#include "vt-clock-private.h"
#include "vt-source-private.h"

struct _VtWatch {
  VtPoller *poller; /* owned */
  VtClock *clock;   /* owned, of the same context */
  GSource *source;  /* owned */
  int fd;           /* the caller's */
  gpointer tag;     /* of the descriptor in the source; NULL while there is none */
  GIOCondition condition;
  VtWatchFunc func;
  void *user_data; /* the caller's */
};

typedef struct {
  GSource source;
  VtWatch *watch; /* not owned: the watch owns the source */
} WatchSource;

/* The function may free the watch, so nothing of it is looked at afterwards. */
static gboolean
watch_source_dispatch (GSource *source, GSourceFunc callback, gpointer user_data)
{
  VtWatch *watch = ((WatchSource *) source)->watch;
  g_autoptr(VtClock) clock = NULL;
  GIOCondition condition;

  if (watch->tag == NULL)
    return G_SOURCE_CONTINUE;
  clock = vt_clock_ref (watch->clock);
  condition = g_source_query_unix_fd (source, watch->tag);
  condition &= watch->condition | G_IO_ERR | G_IO_HUP;
  /* Told once: poll () would say it again on every turn. */
  if (condition != 0 && watch->condition == G_IO_ERR)
    g_source_remove_unix_fd (source, g_steal_pointer (&watch->tag));
  if (condition != 0)
    watch->func (condition, watch->user_data);
  vt_clock_end_dispatch (clock);
  return G_SOURCE_CONTINUE;
}

static GSourceFuncs watch_source_funcs = {
  .dispatch = watch_source_dispatch,
};

VtPoller *
vt_poller_get (GMainContext *context)
{
  if (context == NULL)
    return (VtPoller *) g_main_context_ref_thread_default ();
  return (VtPoller *) g_main_context_ref (context);
}

VtPoller *
vt_poller_ref (VtPoller *self)
{
  return (VtPoller *) g_main_context_ref ((GMainContext *) self);
}

void
vt_poller_unref (VtPoller *self)
{
  g_main_context_unref ((GMainContext *) self);
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
  self->clock = vt_clock_get ((GMainContext *) poller);
  self->fd = fd;
  self->func = func;
  self->user_data = user_data;
  self->source = g_source_new (&watch_source_funcs, sizeof (WatchSource));
  ((WatchSource *) self->source)->watch = self;
  g_source_set_static_name (self->source, "[vtunnel] watch");
  g_source_set_priority (self->source, VT_SOURCE_PRIORITY);
  vt_watch_set_condition (self, condition);
  g_source_attach (self->source, (GMainContext *) poller);
  return self;
}

void
vt_watch_set_reentrant (VtWatch *self)
{
  g_source_set_can_recurse (self->source, TRUE);
}

/* A descriptor that nothing is awaited of leaves the source: poll () always reports hang-ups. */
void
vt_watch_set_condition (VtWatch *self, GIOCondition condition)
{
  if (condition == self->condition)
    return;

  self->condition = condition;
  if (condition == 0 && self->tag != NULL)
    g_source_remove_unix_fd (self->source, g_steal_pointer (&self->tag));
  else if (condition == 0)
    return;
  else if (self->tag == NULL)
    self->tag = g_source_add_unix_fd (self->source, self->fd, condition);
  else
    g_source_modify_unix_fd (self->source, self->tag, condition);
}

void
vt_watch_free (VtWatch *self)
{
  vt_source_destroy (self->source);
  vt_clock_unref (self->clock);
  vt_poller_unref (self->poller);
  g_free (self);
}
