/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-client-struct-private.h"

#include <glib/gi18n-lib.h>

#include "vt-error.h"
#include "vt-source-private.h"

/* A call that waits for the server to say that it has closed the port. As with listening, the GTask
 * is made when that is known: a server that never answers must not keep the client alive. */
typedef struct {
  VtClient *client; /* not owned, its owner */
  guint32 id;       /* the tunnel's */
  GSource *watch;   /* owned, of the caller's cancellable, nullable */
  GAsyncReadyCallback callback;
  gpointer user_data;
} Wait;

/* Takes the error. */
static void
answer (Wait *self, GError *error)
{
  g_autoptr(GTask) task = g_task_new (self->client, NULL, self->callback, self->user_data);

  g_hash_table_remove (self->client->unlistens, GUINT_TO_POINTER (self->id));
  g_clear_pointer (&self->watch, vt_source_destroy);
  g_free (self);

  g_task_set_source_tag (task, vt_client_unlisten_async);
  if (error != NULL)
    g_task_return_error (task, error);
  else
    g_task_return_boolean (task, TRUE);
}

static gboolean
cancelled_cb (GCancellable *cancellable, gpointer user_data)
{
  GError *error = NULL;

  g_cancellable_set_error_if_cancelled (cancellable, &error);
  answer (user_data, error);
  return G_SOURCE_REMOVE;
}

void
vt_client_unlistened (VtClient *self, guint32 id)
{
  Wait *wait = g_hash_table_lookup (self->unlistens, GUINT_TO_POINTER (id));

  if (wait != NULL)
    answer (wait, NULL);
}

void
vt_client_answer_unlistens (VtClient *self)
{
  GHashTableIter iter;
  void *wait;

  g_hash_table_iter_init (&iter, self->unlistens);
  while (g_hash_table_iter_next (&iter, NULL, &wait))
    {
      answer (wait, NULL);
      g_hash_table_iter_init (&iter, self->unlistens);
    }
}

static void
wait_for_answer (VtClient *self,
                 guint32 id,
                 GCancellable *cancellable,
                 GAsyncReadyCallback callback,
                 gpointer user_data)
{
  Wait *wait = g_new0 (Wait, 1);

  wait->client = self;
  wait->id = id;
  wait->watch = vt_source_watch_cancellable (cancellable, cancelled_cb, wait);
  wait->callback = callback;
  wait->user_data = user_data;
  g_hash_table_insert (self->unlistens, GUINT_TO_POINTER (id), wait);
}

static void
return_at_once (VtClient *self,
                GCancellable *cancellable,
                GAsyncReadyCallback callback,
                gpointer user_data)
{
  g_autoptr(GTask) task = g_task_new (self, cancellable, callback, user_data);

  g_task_set_source_tag (task, vt_client_unlisten_async);
  g_task_return_boolean (task, TRUE);
}

/**
 * vt_client_unlisten_async:
 * @self: a client
 * @forward: a forward of this client
 * @cancellable: (nullable): to give up waiting; the forward is taken back all the same
 * @callback: (scope async): called when it is done
 * @user_data: data for @callback
 *
 * Takes a forward back: the server closes its port, and no new streams come.
 *
 * The forward leaves [property@Vt.Client:forwards] and is free at once: it can be given to this or
 * another client. Streams that are open go on. A [method@Vt.Client.listen_async] that is not
 * answered yet fails with %VT_ERROR_CANCELLED.
 *
 * @callback comes when the server has said that the port is closed, so that whoever asks for it
 * after that gets it; or when the tunnel is over, and the port with it. With version 1 of the
 * protocol the server does not answer, and nothing is waited for. Waiting does not keep the client
 * alive.
 *
 * Since: 1.0
 */
void
vt_client_unlisten_async (VtClient *self,
                          VtForward *forward,
                          GCancellable *cancellable,
                          GAsyncReadyCallback callback,
                          gpointer user_data)
{
  g_autoptr(GError) error = NULL;
  guint32 id = 0;

  g_return_if_fail (VT_IS_CLIENT (self));
  g_return_if_fail (VT_IS_FORWARD (forward));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  if (!g_hash_table_contains (self->listens, forward))
    {
      g_task_report_new_error (self, callback, user_data, vt_client_unlisten_async, VT_ERROR,
                               VT_ERROR_INVALID_ARGUMENT,
                               _ ("The client does not have this forward"));
      return;
    }

  if (self->tunnel != NULL)
    id = vt_client_tunnel_unlisten (self->tunnel, forward);
  /* First, because whoever hears of what comes next may close the client. */
  if (id != 0)
    wait_for_answer (self, id, cancellable, callback, user_data);
  else
    return_at_once (self, cancellable, callback, user_data);
  error = g_error_new_literal (VT_ERROR, VT_ERROR_CANCELLED, _ ("The forward was taken back"));
  vt_client_drop_forward (self, forward, error);
}

/**
 * vt_client_unlisten_finish:
 * @self: a client
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Finishes [method@Vt.Client.unlisten_async].
 *
 * Returns: %TRUE if the forward was taken back; %FALSE with %VT_ERROR_INVALID_ARGUMENT if it was
 *   not this client's, or with `G_IO_ERROR_CANCELLED`
 *
 * Since: 1.0
 */
gboolean
vt_client_unlisten_finish (VtClient *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (VT_IS_CLIENT (self), FALSE);
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);

  return g_task_propagate_boolean (G_TASK (result), error);
}
