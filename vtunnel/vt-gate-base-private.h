/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <gio/gio.h>

/* What lies under a gate: a socket, which the context's VtPoller watches and which is read and
 * written without detours, or any other pollable stream. Never blocks. */
typedef struct _VtGateBase VtGateBase;

/* `condition` is of G_IO_IN and G_IO_OUT. A socket goes on telling until no more is wanted; other
 * streams tell once for each vt_gate_base_want (). */
typedef void (*VtGateBaseFunc) (GIOCondition condition, void *user_data);

VtGateBase *vt_gate_base_new (GIOStream *stream, VtGateBaseFunc func, void *user_data);
/* Closes it too. */
void vt_gate_base_free (VtGateBase *self);

/* TRUE if less than was asked for means that no more is there. */
gboolean vt_gate_base_is_socket (VtGateBase *self);
/* The socket at the bottom, or NULL. */
GSocket *vt_gate_base_get_socket (VtGateBase *self);

/* Into several places in a row, of which what is not a socket fills the first only. */
gssize vt_gate_base_read (VtGateBase         *self,
                          const GInputVector *vectors,
                          size_t              n_vectors,
                          GError            **error);
/* As much as the base takes now: what remains waits until it is writable. */
gssize vt_gate_base_write (VtGateBase          *self,
                           const GOutputVector *vectors,
                           size_t               n_vectors,
                           GError             **error);
void   vt_gate_base_want (VtGateBase *self, GIOCondition condition);

/* Nothing more is written. Does nothing under TLS, which has no half-close. */
void vt_gate_base_shutdown_output (VtGateBase *self);
/* `abrupt`: what TLS would still say is not said. `reset`: the peer gets a RST. */
void vt_gate_base_close (VtGateBase *self, gboolean abrupt, gboolean reset);
