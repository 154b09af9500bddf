/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <glib.h>

/* What messages say whose frames go through libsoup empty: payloads, by the number that the
 * message has among the data messages of its direction, from 1. In order. Begins zeroed. */
typedef struct {
  GQueue items; /* owned */
} VtFrameCargo;

/* Takes the payload. */
void vt_frame_cargo_put (VtFrameCargo *self, guint64 number, GBytes *payload);
/* A new reference; NULL if the message says itself what it says. */
GBytes *vt_frame_cargo_take (VtFrameCargo *self, guint64 number);
void    vt_frame_cargo_clear (VtFrameCargo *self);
