/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-client-struct-private.h"

#include <glib/gi18n-lib.h>

#include "vt-clock-private.h"
#include "vt-error.h"
#include "vt-forward-private.h"
#include "vt-health-private.h"
#include "vt-source-private.h"

/* One forward, from vt_client_listen_async () until it is set free. The call is answered by a GTask
 * that is made when the answer is there: one that waited would keep the client alive, which keeps
 * it, and a client that is never opened would never go.
 */
typedef struct {
  VtClient *client;          /* not owned, its owner */
  VtForward *forward;        /* owned */
  GCancellable *cancellable; /* owned, nullable */
  GSource *watch;            /* owned, NULL once answered */
  GAsyncReadyCallback callback;
  gpointer user_data;
  VtHealth *health;    /* owned, NULL unless the server listens and the target is to be looked at */
  VtTimer *retry;      /* owned, NULL before the first wait: asks again after a refusal */
  VtBackoff backoff;   /* of that; its bounds are set before each use */
  guint16 asked_port;  /* what the server was asked for last */
  guint16 bound_port;  /* what it had opened last, 0: nothing yet */
  gboolean asked;      /* in this session */
  gboolean once_bound; /* it was granted in an earlier session */
  gboolean answered;
} Listen;

static void
listen_free (Listen *self)
{
  g_clear_pointer (&self->watch, vt_source_destroy);
  g_clear_pointer (&self->health, vt_health_free);
  g_clear_pointer (&self->retry, vt_timer_free);
  g_clear_object (&self->cancellable);
  g_clear_object (&self->forward);
  g_free (self);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Listen, listen_free)

static void
answer (Listen *self, const GError *error)
{
  g_autoptr(GTask) task = NULL;

  if (self->answered)
    return;
  self->answered = TRUE;
  g_clear_pointer (&self->watch, vt_source_destroy);

  task = g_task_new (self->client, NULL, self->callback, self->user_data);
  g_task_set_source_tag (task, vt_client_listen_async);
  if (error != NULL)
    g_task_return_error (task, g_error_copy (error));
  else
    g_task_return_boolean (task, TRUE);
}

/* Sets the forward free. `error` becomes its own, if there is one; `answer_error` is what the call
 * fails with that is not answered yet. */
static void
drop (Listen *listen, const GError *error, const GError *answer_error)
{
  g_autoptr(Listen) owned = listen;
  VtClient *self = listen->client;
  VtForward *forward = listen->forward;

  g_hash_table_remove (self->listens, forward);
  if (self->tunnel != NULL)
    vt_client_tunnel_unlisten (self->tunnel, forward);
  vt_forward_claim (forward, NULL);
  answer (listen, answer_error);
  vt_list_remove (self->forwards, forward);
  vt_forward_set_bound_port (forward, 0);
  vt_forward_set_url (forward, NULL);
  vt_forward_set_state (forward, error != NULL ? VT_FORWARD_STATE_FAILED : VT_FORWARD_STATE_IDLE,
                        error);
}

void
vt_client_drop_forward (VtClient *self, VtForward *forward, const GError *answer_error)
{
  drop (g_hash_table_lookup (self->listens, forward), NULL, answer_error);
}

static gboolean
cancelled_cb (GCancellable *cancellable, gpointer user_data)
{
  Listen *listen = user_data;
  g_autoptr(VtClient) self = g_object_ref (listen->client);
  g_autoptr(GError) error = NULL;

  g_cancellable_set_error_if_cancelled (cancellable, &error);
  drop (listen, NULL, error);
  return G_SOURCE_REMOVE;
}

static GPtrArray *
get_listens (VtClient *self)
{
  GListModel *forwards = G_LIST_MODEL (self->forwards);
  unsigned int length = g_list_model_get_n_items (forwards);
  GPtrArray *array = g_ptr_array_new_with_free_func (g_object_unref);

  for (unsigned int i = 0; i < length; i++)
    g_ptr_array_add (array, g_list_model_get_item (forwards, i));
  return array;
}

/* Whoever watches the forward is told of all of it at once, and may take it away. */
static void
set_forward (VtForward *forward,
             guint16 bound_port,
             const char *url,
             VtForwardState state,
             const GError *error)
{
  g_object_freeze_notify (G_OBJECT (forward));
  vt_forward_set_bound_port (forward, bound_port);
  vt_forward_set_url (forward, url);
  vt_forward_set_state (forward, state, error);
  g_object_thaw_notify (G_OBJECT (forward));
}

static void
ask (Listen *self, guint16 port)
{
  self->asked = TRUE;
  self->asked_port = port;
  vt_client_tunnel_listen (self->client->tunnel, self->forward, port);
}

/* Where the server chooses, it is asked for the port that it chose before. */
static void
ask_first (Listen *self)
{
  guint16 port = vt_forward_get_listen_port (self->forward);

  ask (self, port != 0 ? port : self->bound_port);
}

void
vt_client_send_listens (VtClient *self)
{
  g_autoptr(GPtrArray) forwards = get_listens (self);
  Listen *listen;

  for (unsigned int i = 0; i < forwards->len && self->tunnel != NULL; i++)
    {
      listen = g_hash_table_lookup (self->listens, forwards->pdata[i]);
      if (listen != NULL && !listen->asked)
        ask_first (listen);
    }
}

/* All of it first, and then whoever watches is told, and may do anything. */
void
vt_client_recall_listens (VtClient *self)
{
  g_autoptr(GPtrArray) forwards = get_listens (self);
  Listen *listen;

  for (unsigned int i = 0; i < forwards->len; i++)
    {
      listen = g_hash_table_lookup (self->listens, forwards->pdata[i]);
      listen->asked = FALSE;
      listen->once_bound = listen->answered;
      g_clear_pointer (&listen->health, vt_health_free);
      g_clear_pointer (&listen->retry, vt_timer_free);
      vt_backoff_reset (&listen->backoff);
    }
  for (unsigned int i = 0; i < forwards->len; i++)
    {
      listen = g_hash_table_lookup (self->listens, forwards->pdata[i]);
      if (listen != NULL && !listen->asked)
        set_forward (forwards->pdata[i], 0, NULL, VT_FORWARD_STATE_PENDING, NULL);
    }
}

static void
retry_cb (void *user_data)
{
  Listen *self = user_data;

  if (self->client->tunnel != NULL)
    ask (self, vt_forward_get_listen_port (self->forward));
}

static void
ask_later (Listen *self, unsigned int retry_after)
{
  g_autoptr(VtClock) clock = vt_clock_get (NULL);
  gint64 wait;

  self->backoff.min = (gint64) (self->client->reconnect_min * G_TIME_SPAN_SECOND);
  self->backoff.max = (gint64) (self->client->reconnect_max * G_TIME_SPAN_SECOND);
  wait = vt_backoff_next (&self->backoff, g_random_int ());
  if (retry_after > 0)
    wait = (gint64) retry_after * G_TIME_SPAN_SECOND;
  if (self->retry == NULL)
    self->retry = vt_timer_new (clock, "client listen retry", retry_cb, self);
  vt_timer_start (self->retry, wait);
}

/* Somebody else may have taken the port meanwhile, or this client's lost session still has it. */
static gboolean
is_worth_waiting (const GError *error)
{
  return error->domain == VT_ERROR
         && (error->code == VT_ERROR_ADDRESS_IN_USE || error->code == VT_ERROR_LIMIT
             || error->code == VT_ERROR_FAILED || error->code == VT_ERROR_TIMED_OUT);
}

/* FALSE if the refusal is final. */
static gboolean
bear_refusal (Listen *self, const GError *error, unsigned int retry_after)
{
  guint16 port = vt_forward_get_listen_port (self->forward);

  if (!self->once_bound || !self->client->reconnect)
    return FALSE;
  if (self->asked_port != port)
    {
      /* It was the server's own choice: another one does as well. */
      ask (self, port);
      return TRUE;
    }
  if (!is_worth_waiting (error))
    return FALSE;
  ask_later (self, retry_after);
  return TRUE;
}

static void
look_after_target (Listen *self)
{
  if (vt_forward_get_target (self->forward) != NULL
      && vt_forward_get_health_interval (self->forward) != 0)
    self->health =
        vt_health_new (self->forward, vt_client_tunnel_get_trust (self->client->tunnel), NULL);
}

static void
accept_port (Listen *self, guint16 port, const char *url)
{
  self->bound_port = port != 0 ? port : self->asked_port;
  if (vt_forward_get_listen_kind (self->forward) != VT_LISTEN_KIND_PORT)
    self->bound_port = 0;
  g_clear_pointer (&self->retry, vt_timer_free);
  vt_backoff_reset (&self->backoff);
  look_after_target (self);
  answer (self, NULL);
  set_forward (self->forward, self->bound_port, url, VT_FORWARD_STATE_LISTENING, NULL);
}

void
vt_client_listened (VtClient *self,
                    VtForward *forward,
                    guint16 port,
                    const char *url,
                    const GError *error,
                    unsigned int retry_after)
{
  Listen *listen = g_hash_table_lookup (self->listens, forward);

  if (listen == NULL)
    return;
  g_clear_pointer (&listen->health, vt_health_free);
  if (error == NULL)
    accept_port (listen, port, url);
  else if (bear_refusal (listen, error, retry_after))
    set_forward (forward, 0, NULL, VT_FORWARD_STATE_PENDING, error);
  else
    drop (listen, error, error);
}

void
vt_client_release_forwards (VtClient *self, const GError *error)
{
  g_autoptr(GPtrArray) forwards = get_listens (self);
  g_autoptr(GError) closed =
      g_error_new_literal (VT_ERROR, VT_ERROR_CANCELLED, _ ("The client was closed"));
  Listen *listen;

  for (unsigned int i = 0; i < forwards->len; i++)
    {
      /* A handler may have taken it away meanwhile. */
      listen = g_hash_table_lookup (self->listens, forwards->pdata[i]);
      if (listen != NULL)
        drop (listen, error, error != NULL ? error : closed);
    }
}

static GError *
find_obstacle (VtClient *self, VtForward *forward)
{
  if (self->state == VT_CLIENT_STATE_CLOSING)
    return g_error_new_literal (VT_ERROR, VT_ERROR_CANCELLED, _ ("The client is being closed"));
  if (g_hash_table_contains (self->listens, forward))
    return g_error_new_literal (VT_ERROR, VT_ERROR_INVALID_ARGUMENT,
                                _ ("The client has this forward already"));
  if (!vt_forward_claim (forward, self))
    return g_error_new_literal (VT_ERROR, VT_ERROR_INVALID_ARGUMENT,
                                _ ("The forward belongs to another client"));
  return NULL;
}

/**
 * vt_client_listen_async:
 * @self: a client
 * @forward: what to listen for
 * @cancellable: (nullable): to give up, which takes the forward back
 * @callback: (scope async): called when the server has answered
 * @user_data: data for @callback
 *
 * Asks the server to open the port of a forward; or, if it is of the kind
 * %VT_LISTEN_KIND_HTTP, to give it its host names; or, if it is of the kind
 * %VT_LISTEN_KIND_NONE, to let the application there open streams to it.
 *
 * This may come before the client is opened: the forward waits in the state
 * %VT_FORWARD_STATE_PENDING, and the server is asked once there is a tunnel. Listening does not
 * keep the client alive; when the client goes, or is closed, or cannot be opened, the call fails.
 *
 * The call is answered once. When the client has lost its session, all its forwards are pending
 * again, and are asked for in the next one. Should the server then refuse one that it had granted
 * before, because its port is taken or its limits are reached, the client asks again after a while,
 * or when the server says that it may help; [property@Vt.Forward:error] says why it waits. Other
 * refusals are final.
 *
 * A server of the first generation of programs never answers; there the forward counts as listening
 * after a grace of a few seconds.
 *
 * Since: 1.0
 */
void
vt_client_listen_async (VtClient *self,
                        VtForward *forward,
                        GCancellable *cancellable,
                        GAsyncReadyCallback callback,
                        gpointer user_data)
{
  GError *obstacle = NULL;
  Listen *listen;

  g_return_if_fail (VT_IS_CLIENT (self));
  g_return_if_fail (VT_IS_FORWARD (forward));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  if (!g_cancellable_set_error_if_cancelled (cancellable, &obstacle))
    obstacle = find_obstacle (self, forward);
  if (obstacle != NULL)
    {
      g_task_report_error (self, callback, user_data, vt_client_listen_async, obstacle);
      return;
    }

  listen = g_new0 (Listen, 1);
  listen->client = self;
  listen->forward = g_object_ref (forward);
  listen->callback = callback;
  listen->user_data = user_data;
  g_set_object (&listen->cancellable, cancellable);
  listen->watch = vt_source_watch_cancellable (cancellable, cancelled_cb, listen);
  g_hash_table_insert (self->listens, forward, listen);
  g_object_freeze_notify (G_OBJECT (forward));
  vt_forward_set_state (forward, VT_FORWARD_STATE_PENDING, NULL);
  vt_list_append (self->forwards, forward);
  /* Unless whoever watches the list took it away at once. */
  if (self->tunnel != NULL && g_hash_table_lookup (self->listens, forward) == listen
      && !listen->asked)
    ask_first (listen);
  g_object_thaw_notify (G_OBJECT (forward));
}

/**
 * vt_client_listen_finish:
 * @self: a client
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Finishes [method@Vt.Client.listen_async].
 *
 * The error is one of [error@Vt.Error]: %VT_ERROR_ADDRESS_IN_USE, %VT_ERROR_PERMISSION_DENIED,
 * %VT_ERROR_LIMIT and others where the server has refused; %VT_ERROR_INVALID_ARGUMENT for a forward
 * that this or another client has already; whatever closed the client, or %VT_ERROR_CANCELLED if it
 * was the application. A cancelled call fails with `G_IO_ERROR_CANCELLED`.
 *
 * Returns: %TRUE if the server listens, %FALSE with @error set if it does not
 *
 * Since: 1.0
 */
gboolean
vt_client_listen_finish (VtClient *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (VT_IS_CLIENT (self), FALSE);
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);

  return g_task_propagate_boolean (G_TASK (result), error);
}
