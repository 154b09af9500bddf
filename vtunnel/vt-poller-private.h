/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <glib.h>

/* One epoll set per main context, which is one GSource: a turn of the main loop costs the same
 * with one descriptor as with ten thousand. Level-triggered. Systems without epoll get a source a
 * watch, which does the same at a higher price. */
typedef struct _VtPoller VtPoller;
typedef struct _VtWatch  VtWatch;

/* Comes with G_IO_IN where the system can tell (Linux): the peer has ended, and behind what can be
 * read now there is nothing but the end. */
#define VT_POLLER_LAST ((GIOCondition) (1 << 16))

typedef void (*VtWatchFunc) (GIOCondition condition, void *user_data);

/* The poller of a main context (NULL: the thread-default one): one per context, a new reference. */
VtPoller *vt_poller_get (GMainContext *context);
VtPoller *vt_poller_ref (VtPoller *self);
void      vt_poller_unref (VtPoller *self);

/* Watches a descriptor, which stays the caller's and must be open until the watch is freed.
 * `condition` is any of G_IO_IN and G_IO_OUT, or 0; errors and hang-ups are always reported
 * (G_IO_ERR, G_IO_HUP) unless the watch is paused by vt_watch_set_condition (self, 0), which
 * silences the descriptor altogether. G_IO_ERR alone waits for those two, and hears of each once.
 * A function can be called once too often, when somebody else has read what there was: it must be
 * able to find nothing. A watch may be changed and freed at any moment, also from within any
 * watch's function: after vt_watch_free () its function is not called again. It keeps its poller
 * alive. NULL with `error` if the kernel refuses. One watch a descriptor. The kernel is told of
 * changes when it is asked the next time: those that are taken back before cost nothing. */
VtWatch *vt_watch_new (VtPoller    *poller,
                       int          fd,
                       GIOCondition condition,
                       VtWatchFunc  func,
                       void        *user_data,
                       GError     **error);
/* Its function may be called again while it runs a main loop: for one that other things depend on
 * there. */
void vt_watch_set_reentrant (VtWatch *self);
void vt_watch_set_condition (VtWatch *self, GIOCondition condition);
void vt_watch_free (VtWatch *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtPoller, vt_poller_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtWatch, vt_watch_free)
