/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vt-stream-private.h"

/* The ports where users of all clients come in, and are told apart by the host name that they ask
 * for: in the head of each request, or in what TLS begins with. Who has not said it yet waits here,
 * for 10 s and with 16 KiB; when 1000 wait, the next one takes the place of who has waited longest.
 */
typedef struct _VtHostFront VtHostFront;

typedef struct {
  /* Whose the name is: compared, and given to `open`; NULL if nobody's. */
  VtForward *(*find) (const char *host, void *user_data);
  /* As vt_server_session_open_for_user (). */
  VtStream *(*open) (VtForward *forward, GSocketAddress *remote, GSocketAddress *local,
                     GError **error, void *user_data);
  /* All of the connection is the forward's, from its first byte on. Takes the descriptor. */
  void (*pass) (VtForward *forward, int fd, GSocketAddress *remote, GSocketAddress *local,
                GByteArray *begun, void *user_data);
  /* Whether users come to this port of the front with a PROXY header. */
  gboolean (*expects_proxy) (guint16 port, void *user_data);
  /* Somebody came there without a right one, and was reset. */
  void (*header_refused) (void *user_data);
} VtHostFrontHandlers;

VtHostFront *vt_host_front_new (const VtHostFrontHandlers *handlers, void *user_data);
/* Resets all that is not a stream's own; no handler is called any more. */
void vt_host_front_free (VtHostFront *self);

/* VT_ERROR. Port 0 picks one. */
gboolean vt_host_front_listen (VtHostFront *self, const char *address, guint16 port,
                               GError **error);
/* From now on each port takes at most so many users a second; 0: any number. */
void     vt_host_front_set_max_rate (VtHostFront *self, unsigned int max_rate);
GArray  *vt_host_front_get_ports (VtHostFront *self); /* of guint16, the front's */

/* A user's connection, with the addresses that it comes from and came to. Takes the descriptor. */
void vt_host_front_add (VtHostFront    *self,
                        int             fd,
                        GSocketAddress *remote,
                        GSocketAddress *local);

/* Nobody comes to this forward by its names any more. */
void vt_host_front_forget (VtHostFront *self, VtForward *forward);
/* Closes the ports, and the connections that have no stream. It can listen again. */
void vt_host_front_stop (VtHostFront *self);
