/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vt-ready-set-private.h"
#include "vt-stream-private.h"

/* What the input and the output of a VtStream have in common. All of it happens in the context that
 * the VtStream was made in; other threads may only call vt_stream_half_run () and what closes. */
typedef gssize (*VtStreamTransfer) (VtStream *stream, void *buffer, size_t size, GError **error);
typedef gboolean (*VtStreamIsReady) (VtStream *stream);

typedef struct {
  VtStream        *stream;   /* not owned; NULL once it is gone; atomic */
  GObject         *io;       /* not owned: the GInputStream or GOutputStream around this */
  GMainContext    *context;  /* owned: where everything happens */
  GThread         *thread;   /* not owned, only compared: the one that made the stream */
  VtStreamTransfer transfer; /* reads or writes, never blocks */
  VtStreamIsReady  is_ready;
  VtReadySet       ready; /* the sources that wait for this half */
} VtStreamHalf;

void vt_stream_half_init (VtStreamHalf    *self,
                          GObject         *io,
                          VtStream        *stream,
                          VtStreamTransfer transfer,
                          VtStreamIsReady  is_ready);
void vt_stream_half_clear (VtStreamHalf *self);
/* The VtStream goes: whoever waits is told. */
void vt_stream_half_detach (VtStreamHalf *self);

/* Never blocks; in the stream's own context only. */
gssize vt_stream_half_transfer (VtStreamHalf *self, void *buffer, size_t size, GError **error);
/* Calls `transfer` in the stream's context, from whatever thread. Where that is another one, waits
 * until it no longer gives G_IO_ERROR_WOULD_BLOCK. */
gssize vt_stream_half_run (VtStreamHalf    *self,
                           VtStreamTransfer transfer,
                           void            *buffer,
                           size_t           size,
                           GCancellable    *cancellable,
                           GError         **error);
/* Ends a direction by `end`, once; from whichever thread, and without waiting in the owner's. */
gboolean vt_stream_half_close (VtStreamHalf *self, VtStreamTransfer end, GError **error);
/* The same for a GTask of the half's object, which nothing can cancel. */
void vt_stream_half_close_async (VtStreamHalf       *self,
                                 VtStreamTransfer    end,
                                 int                 io_priority,
                                 GCancellable       *cancellable,
                                 GAsyncReadyCallback callback,
                                 void               *user_data);

gboolean vt_stream_half_is_ready (VtStreamHalf *self);
/* A source for a GPollableSourceFunc. */
GSource *vt_stream_half_create_source (VtStreamHalf *self, GCancellable *cancellable);
/* The half may be ready now. */
void vt_stream_half_wake (VtStreamHalf *self);

#define VT_TYPE_STREAM_INPUT (vt_stream_input_get_type ())
G_DECLARE_FINAL_TYPE (VtStreamInput, vt_stream_input, VT, STREAM_INPUT, GInputStream)

VtStreamInput *vt_stream_input_new (VtStream *stream);
VtStreamHalf  *vt_stream_input_get_half (VtStreamInput *self);

#define VT_TYPE_STREAM_OUTPUT (vt_stream_output_get_type ())
G_DECLARE_FINAL_TYPE (VtStreamOutput, vt_stream_output, VT, STREAM_OUTPUT, GOutputStream)

VtStreamOutput *vt_stream_output_new (VtStream *stream);
VtStreamHalf   *vt_stream_output_get_half (VtStreamOutput *self);

struct _VtStream {
  GIOStream parent_instance;

  VtMuxStream          *mux;          /* owned; NULL once it is not needed any more */
  VtForward            *forward;      /* owned, nullable */
  GSocketAddress       *user_address; /* owned, nullable */
  gint64                opened_time;  /* in microseconds, as g_get_real_time () says it */
  GDateTime            *opened_at;    /* owned; NULL until somebody asks for it */
  GError               *error;        /* owned, nullable */
  GMainContext         *context;      /* owned */
  GThread              *thread;       /* not owned, only compared */
  VtStreamInput        *input;        /* owned, made when it is asked for */
  VtStreamOutput       *output;       /* owned, made when it is asked for */
  GByteArray           *staged;       /* owned: written, waits for a turn; NULL if nothing does */
  VtTimer              *drain;        /* owned: closed, and the other side is not; else NULL */
  VtStreamFinishedFunc  finished;
  void                 *finished_data; /* not owned */
  VtStreamAnsweredFunc  answered;
  void                 *answered_data; /* not owned */
  GDestroyNotify        gone;
  void                 *gone_data;     /* what `gone` says */
  guint64               bytes_sent;    /* both: once `mux` is NULL */
  guint64               bytes_received;
  unsigned int          id;
  unsigned int          lent : 1;         /* a relay drives `mux` */
  unsigned int          over : 1;         /* vt_stream_finish () was called */
  unsigned int          input_ended : 1;  /* the application closed its input */
  unsigned int          output_ended : 1; /* the application closed its output */
};

/* What the halves do. The two that end a direction use neither buffer nor size. */
gssize   vt_stream_receive (VtStream *self, void *buffer, size_t size, GError **error);
gssize   vt_stream_transmit (VtStream *self, void *buffer, size_t size, GError **error);
gssize   vt_stream_end_input (VtStream *self, void *buffer, size_t size, GError **error);
gssize   vt_stream_end_output (VtStream *self, void *buffer, size_t size, GError **error);
gboolean vt_stream_is_readable (VtStream *self);
gboolean vt_stream_is_writable (VtStream *self);

/* Hears the events of the mux's stream from now on. */
void vt_stream_drive (VtStream *self);
/* Whoever waits for a half looks again. */
void vt_stream_wake (VtStream *self);
void vt_stream_keep_counters (VtStream *self);
/* The object goes: ends what the application left open, and drops `mux`. */
void vt_stream_let_go (VtStream *self);
