/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <gio/gio.h>

#include "vt-clock-private.h"

/* Makes one reliable sequence of messages of a row of links: numbers what is sent, keeps it until
 * the other side has acknowledged it, and sends it again on the next link. Knows numbers and bytes
 * only; streams know nothing of it. */
typedef struct _VtReplay VtReplay;

typedef struct {
  /* To the link: a message that was handed in (now or before), or an acknowledgement. */
  void (*send) (GBytes *message, gboolean text, void *user_data);
  /* Whether the link has room for what a former one has lost, and what waits behind that. Where it
   * has not, vt_replay_continue () is to follow. */
  gboolean (*has_room) (void *user_data);
} VtReplayHandlers;

/* Not attached yet: what is sent is kept for the first link. No handler is called from within
 * vt_replay_new (). */
VtReplay *vt_replay_new (VtClock *clock, const VtReplayHandlers *handlers, void *user_data);
void      vt_replay_free (VtReplay *self);

/* A counted message. Sent at once while attached, unless older ones still wait. */
void vt_replay_send (VtReplay *self, GBytes *message, gboolean text);
/* Bytes of memory of what is kept, the cost of each message included. */
size_t vt_replay_get_kept (VtReplay *self);

/* A counted message of so many bytes came, and was taken. It is acknowledged at the latest after
 * 128 KiB or 100 ms of such input, at the end of the dispatch at the earliest. */
void    vt_replay_note_received (VtReplay *self, size_t length);
guint64 vt_replay_get_received (VtReplay *self);

/* The other side has so many. Forgets them. FALSE with VT_ERROR_PROTOCOL if that is below what it
 * acknowledged before, or above what was sent. */
gboolean vt_replay_acknowledge (VtReplay *self, guint64 received, GError **error);

/* There is a link, over which both sides have said what they have. Sends all again, in order and
 * unchanged, that the other side has not, as fast as the link takes it. FALSE as above. */
gboolean vt_replay_attach (VtReplay *self, guint64 received, GError **error);
/* The link has room again. */
void vt_replay_continue (VtReplay *self);
/* The link is gone, if there was one. */
void vt_replay_detach (VtReplay *self);
/* Messages wait: there is no link, or it has not taken yet what a former one has lost. */
gboolean vt_replay_is_behind (VtReplay *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtReplay, vt_replay_free)
