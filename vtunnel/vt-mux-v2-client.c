/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-mux-v2-private.h"

#include <glib/gi18n-lib.h>

#include "vt-error.h"
#include "vt-text-private.h"

typedef enum {
  ASKED,
  LISTENING,
  TAKING_BACK,
} WishState;

/* What was asked for, until the server has said that it is over. */
typedef struct {
  VtMuxV2 *v2; /* not owned */
  guint32 id;
  VtControlKind kind;
  WishState state;
  VtTimer *timer; /* owned: waits for an answer */
} Wish;

static void
wish_free (void *data)
{
  Wish *self = data;

  vt_timer_free (self->timer);
  g_free (self);
}

void
vt_mux_v2_client_init (VtMuxV2 *self)
{
  self->listens = g_hash_table_new_full (NULL, NULL, NULL, wish_free);
}

static void
ask (VtMuxV2 *self, VtControlType type, guint32 id)
{
  const VtControl control = { .type = type, .id = id };

  vt_mux_v2_send_control (self, &control);
}

static void
tell_failed (VtMuxV2 *self, Wish *wish, const GError *error, unsigned int retry_after)
{
  guint32 id = wish->id;

  g_hash_table_remove (self->listens, GUINT_TO_POINTER (id));
  self->mux->handlers.listen_failed (id, error, retry_after, self->mux->user_data);
}

static void
tell_done (VtMuxV2 *self, Wish *wish)
{
  guint32 id = wish->id;

  g_hash_table_remove (self->listens, GUINT_TO_POINTER (id));
  if (self->mux->handlers.unlisten_done != NULL)
    self->mux->handlers.unlisten_done (id, self->mux->user_data);
}

static void
wait_for_answer (Wish *wish)
{
  if (wish->state != LISTENING && !wish->v2->mux->suspended)
    vt_timer_start (wish->timer, VT_MUX_ANSWER_TIMEOUT);
}

/* No answer. Should it come still, nobody wants it any more. */
static void
wish_cb (void *user_data)
{
  Wish *wish = user_data;
  VtMuxV2 *self = wish->v2;
  g_autoptr(GError) error = NULL;

  if (wish->state == TAKING_BACK)
    {
      tell_done (self, wish);
      return;
    }
  error = g_error_new_literal (VT_ERROR, VT_ERROR_TIMED_OUT, _ ("The server does not answer"));
  ask (self, VT_CONTROL_UNLISTEN, wish->id);
  tell_failed (self, wish, error, 0);
}

void
vt_mux_v2_client_suspend (VtMuxV2 *self)
{
  GHashTableIter iter;
  Wish *wish;

  g_hash_table_iter_init (&iter, self->listens);
  while (g_hash_table_iter_next (&iter, NULL, (void **) &wish))
    vt_timer_stop (wish->timer);
}

/* The whole time again, in which to answer what it may have to be told again. */
void
vt_mux_v2_client_resume (VtMuxV2 *self)
{
  GHashTableIter iter;
  Wish *wish;

  g_hash_table_iter_init (&iter, self->listens);
  while (g_hash_table_iter_next (&iter, NULL, (void **) &wish))
    wait_for_answer (wish);
}

void
vt_mux_v2_client_listen (VtMux *mux, guint32 id, const VtMuxListen *listen)
{
  VtMuxV2 *self = vt_mux_v2_get (mux);
  const VtControl control = {
    .type = VT_CONTROL_LISTEN,
    .id = id,
    .kind = listen->kind,
    .address = (char *) listen->address,
    .port = listen->port,
    .names = (char **) listen->names,
  };
  Wish *wish = g_new0 (Wish, 1);

  wish->v2 = self;
  wish->id = id;
  wish->kind = listen->kind;
  wish->timer = vt_timer_new (mux->clock, "mux listen", wish_cb, wish);
  wait_for_answer (wish);
  g_hash_table_insert (self->listens, GUINT_TO_POINTER (id), wish);
  vt_mux_v2_send_control (self, &control);
}

gboolean
vt_mux_v2_client_unlisten (VtMux *mux, guint32 id)
{
  VtMuxV2 *self = vt_mux_v2_get (mux);
  Wish *wish = g_hash_table_lookup (self->listens, GUINT_TO_POINTER (id));

  if (wish == NULL || wish->state == TAKING_BACK)
    return wish != NULL;
  wish->state = TAKING_BACK;
  wait_for_answer (wish);
  ask (self, VT_CONTROL_UNLISTEN, id);
  return TRUE;
}

static void
receive_listen_ok (VtMuxV2 *self, Wish *wish, const VtControl *control)
{
  if (wish->state != ASKED)
    return;
  if (control->port == 0 && wish->kind == VT_CONTROL_KIND_TCP)
    {
      vt_mux_v2_fail (self, "A listen_ok without a port");
      return;
    }
  wish->state = LISTENING;
  vt_timer_stop (wish->timer);
  self->mux->handlers.listen_ok (wish->id, control->address, control->port, control->url, TRUE,
                                 self->mux->user_data);
}

/* May also come for a port that was open: the server has lost it. */
static void
receive_listen_err (VtMuxV2 *self, Wish *wish, const VtControl *control)
{
  g_autofree char *escaped = NULL;
  g_autoptr(GError) error = NULL;

  if (wish->state == TAKING_BACK)
    return;
  escaped = control->error != NULL ? vt_text_escape (control->error, -1) : NULL;
  error = g_error_new_literal (VT_ERROR, control->code,
                               escaped != NULL ? escaped : _ ("The server refuses the port"));
  tell_failed (self, wish, error, control->retry_after);
}

void
vt_mux_v2_client_receive (VtMuxV2 *self, const VtControl *control)
{
  Wish *wish = g_hash_table_lookup (self->listens, GUINT_TO_POINTER (control->id));

  if (wish == NULL)
    return;
  if (control->type == VT_CONTROL_LISTEN_OK)
    receive_listen_ok (self, wish, control);
  else if (control->type == VT_CONTROL_LISTEN_ERR)
    receive_listen_err (self, wish, control);
  else if (control->type == VT_CONTROL_UNLISTEN_OK && wish->state == TAKING_BACK)
    tell_done (self, wish);
}

static void
refuse_stream (VtMuxV2 *self, guint32 id, VtError code, const char *reason)
{
  g_autoptr(GError) error = g_error_new_literal (VT_ERROR, (int) code, reason);

  vt_mux_v2_put_reset (self, id, error);
}

void
vt_mux_v2_client_open (VtMuxV2 *self, const VtBinaryFrame *frame)
{
  VtMux *mux = self->mux;
  VtMuxStream *stream;
  VtBinaryOpen open;
  Wish *wish;

  if (frame->stream <= mux->last_stream_id)
    {
      vt_mux_v2_fail (self, "OPEN with a number that was used before");
      return;
    }
  mux->last_stream_id = frame->stream;
  vt_codec_binary_read_open (frame, &open);
  wish = g_hash_table_lookup (self->listens, GUINT_TO_POINTER (open.listen_id));
  if (wish == NULL || wish->state != LISTENING)
    {
      refuse_stream (self, frame->stream, VT_ERROR_CANCELLED, "Nothing listens there any more");
      return;
    }
  if (vt_mux_is_full (mux))
    {
      refuse_stream (self, frame->stream, VT_ERROR_LIMIT, "Too many connections");
      return;
    }
  stream = vt_mux_add_stream (mux, frame->stream, open.listen_id);
  stream->user = open.user;
  stream->local = open.local;
  mux->handlers.stream_opened (stream, open.listen_id, mux->user_data);
}
