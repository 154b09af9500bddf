/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-mux-v1-private.h"

#include <glib/gi18n-lib.h>

#include "vt-error.h"
#include "vt-text-private.h"

typedef enum {
  QUEUED, /* for port 0, behind another one: answers do not say which request they answer */
  ASKED,
  LISTENING,
} WishState;

/* A port that was asked for. */
typedef struct {
  VtMuxV1 *v1; /* not owned */
  guint32 id;
  guint16 port; /* 0 until the server has named one */
  WishState state;
  gboolean forgotten; /* taken back; only its answer is still waited for */
  gint64 asked_at;
  VtTimer *timer; /* owned, NULL unless asked */
} Wish;

/* Refused without asking; told from a later dispatch. */
typedef struct {
  guint32 id;
  GError *error; /* owned */
} Refusal;

static void
wish_free (Wish *self)
{
  g_clear_pointer (&self->timer, vt_timer_free);
  g_free (self);
}

static void
refusal_free (Refusal *self)
{
  g_error_free (self->error);
  g_free (self);
}

static void
tell_failed (VtMuxV1 *self, guint32 id, const GError *error)
{
  self->mux->handlers.listen_failed (id, error, 0, self->mux->user_data);
}

static void
refusals_cb (void *user_data)
{
  VtMuxV1 *self = user_data;
  unsigned int n = self->refusals.length;

  /* A handler may ask again, and be refused again, later. */
  for (Refusal *refusal; n > 0 && (refusal = g_queue_pop_head (&self->refusals)) != NULL; n--)
    {
      if (self->mux->failure == NULL)
        tell_failed (self, refusal->id, refusal->error);
      refusal_free (refusal);
    }
}

void
vt_mux_v1_client_init (VtMuxV1 *self)
{
  self->listens = g_hash_table_new_full (NULL, NULL, NULL, (GDestroyNotify) wish_free);
  self->forgotten = g_hash_table_new (NULL, NULL);
  self->refusals_timer = vt_timer_new (self->mux->clock, "mux refusals", refusals_cb, self);
}

void
vt_mux_v1_client_clear (VtMuxV1 *self)
{
  Wish *asking = self->asking;

  if (asking != NULL && asking->forgotten)
    wish_free (asking);
  g_queue_clear (&self->any_port);
  g_queue_clear_full (&self->refusals, (GDestroyNotify) refusal_free);
  g_hash_table_unref (self->forgotten);
  vt_timer_free (self->refusals_timer);
}

static void
expect_stray_answer (VtMuxV1 *self, guint16 port)
{
  void *key = GUINT_TO_POINTER (port);
  unsigned int n = GPOINTER_TO_UINT (g_hash_table_lookup (self->forgotten, key));

  g_hash_table_insert (self->forgotten, key, GUINT_TO_POINTER (n + 1));
}

/* Answers for one port come in the order of the questions. */
static gboolean
is_stray_answer (VtMuxV1 *self, guint16 port)
{
  void *key = GUINT_TO_POINTER (port);
  unsigned int n = GPOINTER_TO_UINT (g_hash_table_lookup (self->forgotten, key));

  if (n > 1)
    g_hash_table_insert (self->forgotten, key, GUINT_TO_POINTER (n - 1));
  else
    g_hash_table_remove (self->forgotten, key);
  return n > 0;
}

static void ask_next (VtMuxV1 *self);

/* Takes the wish out of everything, and the next one for port 0 has its turn. */
static void
drop (VtMuxV1 *self, Wish *wish)
{
  gboolean was_asking = self->asking == wish;

  if (was_asking)
    self->asking = NULL;
  if (wish->state == QUEUED)
    g_queue_remove (&self->any_port, wish);
  if (g_hash_table_lookup (self->by_port, GUINT_TO_POINTER (wish->port)) == wish)
    g_hash_table_remove (self->by_port, GUINT_TO_POINTER (wish->port));

  if (wish->forgotten)
    wish_free (wish);
  else
    g_hash_table_remove (self->listens, GUINT_TO_POINTER (wish->id));
  if (was_asking)
    ask_next (self);
}

static void
fail (VtMuxV1 *self, Wish *wish, const GError *error)
{
  gboolean forgotten = wish->forgotten;
  guint32 id = wish->id;

  drop (self, wish);
  if (!forgotten)
    tell_failed (self, id, error);
}

static void
fail_with (VtMuxV1 *self, Wish *wish, VtError code, const char *reason)
{
  g_autoptr(GError) error = g_error_new_literal (VT_ERROR, (int) code, reason);

  fail (self, wish, error);
}

static void
succeed (VtMuxV1 *self, Wish *wish, guint16 port, gboolean confirmed)
{
  wish->state = LISTENING;
  wish->port = port;
  g_hash_table_insert (self->by_port, GUINT_TO_POINTER (port), wish);
  g_clear_pointer (&wish->timer, vt_timer_free);
  if (self->asking == wish)
    {
      self->asking = NULL;
      ask_next (self);
    }
  self->mux->handlers.listen_ok (wish->id, NULL, port, NULL, confirmed, self->mux->user_data);
}

/* No answer from a server that answers. Should it come still, nobody wants it any more. */
static void
time_out (VtMuxV1 *self, Wish *wish)
{
  if (wish->port != 0)
    {
      expect_stray_answer (self, wish->port);
      vt_mux_v1_send (self->mux, VT_JSON_UNLISTEN, wish->port, 0);
    }
  fail_with (self, wish, VT_ERROR_TIMED_OUT, _ ("The server does not answer"));
}

static void
wish_cb (void *user_data)
{
  Wish *wish = user_data;
  VtMuxV1 *self = wish->v1;
  gint64 waited = vt_clock_get_time (self->mux->clock) - wish->asked_at;

  /* An answer may stand behind what is not read now. */
  if (self->mux->paused)
    vt_timer_start (wish->timer, self->mux->config.listen_grace + 1);
  else if (self->answers && waited < VT_MUX_ANSWER_TIMEOUT)
    vt_timer_start (wish->timer, VT_MUX_ANSWER_TIMEOUT - waited);
  else if (self->answers)
    time_out (self, wish);
  else if (wish->port != 0)
    succeed (self, wish, wish->port, FALSE);
  else
    fail_with (self, wish, VT_ERROR_PROTOCOL,
               _ ("The server does not say which port it has opened: it is too old for that"));
}

/* A server that has never answered anything has only the grace of the configuration. */
static void
ask (VtMuxV1 *self, Wish *wish)
{
  wish->state = ASKED;
  wish->asked_at = vt_clock_get_time (self->mux->clock);
  wish->timer = vt_timer_new (self->mux->clock, "mux listen", wish_cb, wish);
  vt_timer_start (wish->timer,
                  self->answers ? VT_MUX_ANSWER_TIMEOUT : self->mux->config.listen_grace);
  vt_mux_v1_send (self->mux, VT_JSON_LISTEN, wish->port, 0);
}

static void
ask_next (VtMuxV1 *self)
{
  if (self->asking != NULL || self->any_port.length == 0)
    return;

  self->asking = g_queue_pop_head (&self->any_port);
  ask (self, self->asking);
}

static void
refuse_later (VtMuxV1 *self, guint32 id, VtError code, const char *reason)
{
  Refusal *refusal = g_new0 (Refusal, 1);

  refusal->id = id;
  refusal->error = g_error_new_literal (VT_ERROR, (int) code, reason);
  g_queue_push_tail (&self->refusals, refusal);
  vt_timer_start (self->refusals_timer, 0);
}

void
vt_mux_v1_client_listen (VtMux *mux, guint32 id, const VtMuxListen *listen)
{
  VtMuxV1 *self = mux->protocol_state;
  Wish *wish;

  if (listen->kind != VT_CONTROL_KIND_TCP)
    {
      refuse_later (self, id, VT_ERROR_INVALID_ARGUMENT,
                    _ ("This server has only ports: version 1 of the protocol knows nothing else"));
      return;
    }
  /* To leave the address out would open the port where nobody asked for it. */
  if (listen->address != NULL)
    {
      refuse_later (self, id, VT_ERROR_INVALID_ARGUMENT,
                    _ ("This server chooses the address by itself"));
      return;
    }
  if (g_hash_table_contains (self->by_port, GUINT_TO_POINTER (listen->port)))
    {
      refuse_later (self, id, VT_ERROR_ADDRESS_IN_USE, _ ("The port is asked for already"));
      return;
    }

  wish = g_new0 (Wish, 1);
  wish->v1 = self;
  wish->id = id;
  wish->port = listen->port;
  g_hash_table_insert (self->listens, GUINT_TO_POINTER (id), wish);
  if (wish->port != 0)
    {
      g_hash_table_insert (self->by_port, GUINT_TO_POINTER (wish->port), wish);
      ask (self, wish);
    }
  else
    {
      g_queue_push_tail (&self->any_port, wish);
      ask_next (self);
    }
}

static void
take_back_refusal (VtMuxV1 *self, guint32 id)
{
  for (GList *l = self->refusals.head; l != NULL; l = l->next)
    if (((Refusal *) l->data)->id == id)
      {
        refusal_free (l->data);
        g_queue_delete_link (&self->refusals, l);
        return;
      }
}

gboolean
vt_mux_v1_client_unlisten (VtMux *mux, guint32 id)
{
  VtMuxV1 *self = mux->protocol_state;
  Wish *wish = g_hash_table_lookup (self->listens, GUINT_TO_POINTER (id));

  if (wish == NULL)
    {
      take_back_refusal (self, id);
      return FALSE;
    }
  if (self->asking == wish)
    {
      /* Which port it is will be known, and can be given back, when the answer comes. */
      g_hash_table_steal (self->listens, GUINT_TO_POINTER (id));
      wish->forgotten = TRUE;
      return FALSE;
    }
  if (wish->state == ASKED)
    expect_stray_answer (self, wish->port);
  if (wish->port != 0)
    vt_mux_v1_send (mux, VT_JSON_UNLISTEN, wish->port, 0);
  drop (self, wish);
  return FALSE;
}

/* A port for the listen in flight that named none. */
static void
receive_any_port (VtMuxV1 *self, guint16 port)
{
  Wish *wish = self->asking;

  if (port == 0)
    {
      fail_with (self, wish, VT_ERROR_PROTOCOL,
                 _ ("The server does not say which port it has opened"));
    }
  else if (wish->forgotten)
    {
      vt_mux_v1_send (self->mux, VT_JSON_UNLISTEN, port, 0);
      drop (self, wish);
    }
  else
    {
      succeed (self, wish, port, TRUE);
    }
}

static void
receive_listen_ok (VtMuxV1 *self, guint16 port)
{
  Wish *wish = g_hash_table_lookup (self->by_port, GUINT_TO_POINTER (port));

  self->answers = TRUE;
  if (is_stray_answer (self, port))
    return;

  if (wish != NULL && wish->state == ASKED)
    succeed (self, wish, port, TRUE);
  else if (wish == NULL && self->asking != NULL)
    receive_any_port (self, port);
  else if (wish == NULL && port != 0)
    vt_mux_v1_send (self->mux, VT_JSON_UNLISTEN, port, 0);
}

/* May also come for a port that counted as listening since the grace was over. */
static void
receive_listen_err (VtMuxV1 *self, const VtJsonMessage *message)
{
  Wish *wish = g_hash_table_lookup (self->by_port, GUINT_TO_POINTER (message->port));
  const char *text = message->error != NULL ? message->error : "";
  g_autofree char *escaped = vt_text_escape (text, -1);
  g_autoptr(GError) error = NULL;

  self->answers = TRUE;
  if (is_stray_answer (self, message->port))
    return;
  if (wish == NULL && message->port == 0)
    wish = self->asking;
  if (wish == NULL)
    return;

  error = g_error_new_literal (VT_ERROR, vt_mux_v1_error_code (text),
                               *text != '\0' ? escaped : _ ("The server refuses the port"));
  fail (self, wish, error);
}

static void
receive_connect (VtMuxV1 *self, guint16 port, guint32 stream_id)
{
  VtMux *mux = self->mux;
  Wish *wish = g_hash_table_lookup (self->by_port, GUINT_TO_POINTER (port));

  /* A stream that is there is never replaced. */
  if (stream_id == 0 || vt_mux_find_stream (mux, stream_id) != NULL)
    {
      g_debug ("A connection with the number %u, which it cannot have", stream_id);
      return;
    }
  if (wish == NULL || vt_mux_is_full (mux))
    {
      vt_mux_v1_send (mux, VT_JSON_CLOSE, 0, stream_id);
      return;
    }

  /* Who connects proves that the port is open; and the handler may take it back. */
  if (wish->state == ASKED)
    {
      guint32 id = wish->id;

      succeed (self, wish, port, self->answers);
      if (!g_hash_table_contains (self->listens, GUINT_TO_POINTER (id)))
        {
          vt_mux_v1_send (mux, VT_JSON_CLOSE, 0, stream_id);
          return;
        }
    }
  mux->handlers.stream_opened (vt_mux_add_stream (mux, stream_id, wish->id), wish->id,
                               mux->user_data);
}

void
vt_mux_v1_client_receive (VtMuxV1 *self, const VtJsonMessage *message)
{
  if (message->type == VT_JSON_LISTEN_OK)
    receive_listen_ok (self, message->port);
  else if (message->type == VT_JSON_LISTEN_ERR)
    receive_listen_err (self, message);
  else if (message->type == VT_JSON_CONNECT)
    receive_connect (self, message->port, message->stream_id);
  else if (message->type == VT_JSON_PONG)
    vt_mux_note_pong (self->mux);
}
