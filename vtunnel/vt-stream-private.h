/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <vtunnel/vt-stream.h>

#include "vt-mux-stream-private.h"

/* Wraps a mux's stream, and takes a reference to it. `forward` is referenced. The new stream is
 * nobody's yet: a relay claims it with vt_stream_lend (), or an application reads and writes it. */
VtStream *vt_stream_new (VtMuxStream *stream, VtForward *forward, GSocketAddress *user);

/* For a relay: from now on the mux's stream is the relay's to drive, by its events, and the GIO
 * side of the VtStream gives G_IO_ERROR_BUSY. The relay tells the end with vt_stream_finish (). */
VtMuxStream *vt_stream_lend (VtStream *self);

/* The stream is over: sets `error` (copied, NULL if it ended in order), keeps the final counters,
 * and calls the function below, once. For a stream that an application drives, VtStream does this
 * by itself. */
void vt_stream_finish (VtStream *self, const GError *error);

/* Who is told, once, when the stream is over; never from within vt_stream_new (). */
typedef void (*VtStreamFinishedFunc) (VtStream *stream, const GError *error, void *user_data);
void vt_stream_set_finished_func (VtStream *self, VtStreamFinishedFunc func, void *user_data);

/* For a stream of the server's application: who is told, at most once, that the client has
 * answered; never from within vt_stream_new (). */
typedef void (*VtStreamAnsweredFunc) (VtStream *stream, void *user_data);
void vt_stream_set_answered_func (VtStream *self, VtStreamAnsweredFunc func, void *user_data);

/* Called once, after the stream has finished, when nothing of it is under way any more: what was
 * written before a graceful end may leave when the object itself is gone. */
void vt_stream_set_gone_func (VtStream *self, GDestroyNotify func, void *user_data);
