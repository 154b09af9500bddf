/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <gio/gio.h>

/* A connection that the test carries byte by byte, from one socket to another, and can cut at any
 * of them: what is on its way then is lost. */
typedef struct _CutWire CutWire;

typedef enum {
  WIRE_TO_CLIENT,
  WIRE_TO_SERVER,
} WireDirection;

/* Gives the streams at its ends. */
CutWire *cut_wire_new (GIOStream **client, GIOStream **server);
/* Cuts it, if that was not done. */
void cut_wire_free (CutWire *self);

/* Both sides see the end of it. */
void cut_wire_cut (CutWire *self);
/* Only the client does; the server hears nothing. */
void cut_wire_cut_client (CutWire *self);
/* The same as cut_wire_cut () once so many bytes more were carried, in both directions together. */
void cut_wire_cut_after (CutWire *self, guint64 n_bytes);
gboolean cut_wire_is_cut (CutWire *self);
/* Carries nothing in that direction, for as long. */
void    cut_wire_hold (CutWire *self, WireDirection direction, gboolean held);
guint64 cut_wire_get_carried (CutWire *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (CutWire, cut_wire_free)
