/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-client-struct-private.h"

#include <glib/gi18n-lib.h>

#include "vt-error.h"
#include "vt-forward-private.h"
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
  gboolean answered;
} Listen;

static void
listen_free (Listen *self)
{
  g_clear_pointer (&self->watch, vt_source_destroy);
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

void
vt_client_send_listens (VtClient *self)
{
  g_autoptr(GPtrArray) forwards = get_listens (self);

  for (unsigned int i = 0; i < forwards->len; i++)
    vt_client_tunnel_listen (self->tunnel, forwards->pdata[i]);
}

void
vt_client_listened (VtClient *self, VtForward *forward, guint16 port, const GError *error)
{
  Listen *listen = g_hash_table_lookup (self->listens, forward);

  if (listen == NULL)
    return;
  if (error != NULL)
    {
      drop (listen, error, error);
      return;
    }
  answer (listen, NULL);
  vt_forward_set_bound_port (forward, port != 0 ? port : vt_forward_get_listen_port (forward));
  vt_forward_set_state (forward, VT_FORWARD_STATE_LISTENING, NULL);
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
 * Asks the server to open the port of a forward.
 *
 * This may come before the client is opened: the forward waits in the state
 * %VT_FORWARD_STATE_PENDING, and the server is asked once there is a tunnel. Listening does not
 * keep the client alive; when the client goes, or is closed, or cannot be opened, the call fails.
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
  if (self->tunnel != NULL && g_hash_table_lookup (self->listens, forward) == listen)
    vt_client_tunnel_listen (self->tunnel, forward);
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
