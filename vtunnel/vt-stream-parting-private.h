/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vt-stream-private.h"

/* Takes leave of a stream that a relay does not need any more: ends its direction, drops what still
 * comes, and resets it if the other side has not ended after 5 s. Goes on by itself, until the
 * session is over at the latest. Takes `mux`, the relay's reference to the mux's stream;
 * vt_stream_finish () follows, from a later dispatch. */
void vt_stream_part (VtStream *stream, VtMuxStream *mux);
