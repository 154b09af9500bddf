/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <gio/gio.h>

#include "vt-clock-private.h"
#include "vt-poller-private.h"

/* A port of our own: one or more listening sockets (IPv4 and IPv6 of one port) in the poller,
 * backlog 1024, at most 64 accepts a dispatch, behind the process-wide descriptor guard. Whom it
 * does not accept yet waits in the backlog, which is the kernel's. */
typedef struct _VtListener VtListener;

/* `fd` is a connected, non-blocking, close-on-exec socket that now belongs to the callee, who may
 * also free the listener. `local` is the address that the peer came to, NULL if the connection is
 * gone already. */
typedef void (*VtListenerFunc) (int             fd,
                                GSocketAddress *remote,
                                GSocketAddress *local,
                                void           *user_data);

/* `address` is a literal address, "localhost" (both loopbacks, at least one must work), or "*" (all
 * of IPv4 and IPv6, where "0.0.0.0" and "::" are one of them each). Port 0 picks one port, the same
 * for all sockets. Everything happens in the thread-default main context of now. Errors are
 * VT_ERROR: ADDRESS_IN_USE, PERMISSION_DENIED, INVALID_ARGUMENT (an address that is none, or not of
 * this machine), LIMIT (no descriptors), FAILED. */
VtListener *vt_listener_new (const char    *address,
                             guint16        port,
                             VtListenerFunc func,
                             void          *user_data,
                             GError       **error);
/* Takes a duplicate of a TCP socket that listens already; INVALID_ARGUMENT for any other one. */
VtListener *vt_listener_new_for_socket (int            fd,
                                        VtListenerFunc func,
                                        void          *user_data,
                                        GError       **error);
guint16     vt_listener_get_port (VtListener *self);
/* The address of the first socket, as text: "127.0.0.1". */
const char *vt_listener_get_address (VtListener *self);
/* From now on it accepts at most so many a second, of which two seconds' worth can be saved up;
 * 0: any number. */
void        vt_listener_set_max_rate (VtListener *self, unsigned int rate);
/* While it is held it accepts nobody. */
void        vt_listener_set_held (VtListener *self, gboolean held);
void        vt_listener_free (VtListener *self);

/* Why one stops accepting for a while. */
typedef enum {
  VT_LISTENER_PAUSE_DESCRIPTORS, /* none are left, or the system cannot accept now */
  VT_LISTENER_PAUSE_RATE,        /* more come than its rate allows */
  VT_LISTENER_N_PAUSES,
} VtListenerPause;

/* How often one of them has, in this process. */
guint64 vt_listener_get_n_pauses (VtListenerPause reason);

/* TRUE while one more descriptor leaves the process at least 64 below its limit. Whoever is about
 * to take a descriptor for somebody outside asks first. Says so once, with a message, when it
 * begins to refuse, and once when there are plenty again. Far below the limit it costs nothing
 * most times: one look is good for 32 more answers. */
gboolean vt_listener_may_take_descriptor (void);
/* The same, always with a look: for who has met with the limit. */
gboolean vt_listener_look_for_descriptors (void);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtListener, vt_listener_free)
