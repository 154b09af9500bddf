/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-client-struct-private.h"

#include <glib/gi18n-lib.h>

#include "vt-error.h"
#include "vt-source-private.h"

static gboolean
open_cancelled_cb (GCancellable *cancellable, gpointer user_data)
{
  g_autoptr(VtClient) self = g_object_ref (user_data);
  g_autoptr(GError) error = NULL;

  g_cancellable_set_error_if_cancelled (cancellable, &error);
  vt_client_become_closed (self, NULL, error);
  return G_SOURCE_REMOVE;
}

/* Closes a client that has no link. */
static void
close_at_once (VtClient *self)
{
  g_autoptr(GError) error =
      g_error_new_literal (VT_ERROR, VT_ERROR_CANCELLED, _ ("The client was closed"));

  vt_client_become_closed (self, NULL, error);
}

void
vt_client_end (VtClient *self)
{
  g_clear_pointer (&self->tunnel, vt_client_tunnel_free);
  g_ptr_array_set_size (self->ending_tunnels, 0);
  vt_client_answer_unlistens (self);
  close_at_once (self);
}

static gboolean
close_cancelled_cb (GCancellable *cancellable, gpointer user_data)
{
  g_autoptr(GTask) task = g_object_ref (user_data);
  VtClient *self = g_task_get_source_object (task);

  if (g_ptr_array_remove (self->closings, task))
    g_task_return_error_if_cancelled (task);
  return G_SOURCE_REMOVE;
}

/**
 * vt_client_open_async:
 * @self: a client
 * @cancellable: (nullable): to give up
 * @callback: (scope async): called when the client is open, or cannot be
 * @user_data: data for @callback
 *
 * Connects to the server.
 *
 * What [method@Vt.Client.listen_async] was called for before is asked for as soon as the tunnel is
 * open. If it cannot be opened, those calls fail as well. Connecting keeps the client alive, and
 * takes 40 seconds at most: 30 for the connection, and 10 for a server that speaks version 2 of the
 * protocol to greet. With [property@Vt.Client:retry-first] it goes on until it succeeds, or cannot.
 *
 * What happens to a client that was opened once, and loses its connection, is described by
 * [class@Vt.Client]. A client that is closed can be opened again.
 *
 * Since: 1.0
 */
void
vt_client_open_async (VtClient *self,
                      GCancellable *cancellable,
                      GAsyncReadyCallback callback,
                      gpointer user_data)
{
  g_autoptr(GTask) task = NULL;

  g_return_if_fail (VT_IS_CLIENT (self));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (task, vt_client_open_async);
  if (self->state != VT_CLIENT_STATE_CLOSED)
    {
      g_task_return_new_error (task, G_IO_ERROR, G_IO_ERROR_PENDING,
                               _ ("The client is not closed, so it cannot be opened"));
      return;
    }
  if (g_task_return_error_if_cancelled (task))
    return;

  self->opening = g_object_ref (task);
  self->opening_watch = vt_source_watch_cancellable (cancellable, open_cancelled_cb, self);
  g_object_freeze_notify (G_OBJECT (self));
  vt_client_set_error (self, NULL);
  vt_client_set_state (self, VT_CLIENT_STATE_CONNECTING);
  vt_client_start_afresh (self);
  g_object_thaw_notify (G_OBJECT (self));
}

/**
 * vt_client_open_finish:
 * @self: a client
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Finishes [method@Vt.Client.open_async].
 *
 * The error is one of [error@Vt.Error]: %VT_ERROR_NOT_AUTHORISED, %VT_ERROR_NOT_A_TUNNEL if
 * something else answers there, %VT_ERROR_TLS, %VT_ERROR_TIMED_OUT, %VT_ERROR_INVALID_ARGUMENT for
 * an address that is none, and for a secret that would travel unencrypted, %VT_ERROR_CANCELLED if
 * the client was closed meanwhile, or %VT_ERROR_FAILED. A cancelled call fails with
 * `G_IO_ERROR_CANCELLED`, one for a client that is not closed with `G_IO_ERROR_PENDING`.
 *
 * Returns: %TRUE if the client is open, %FALSE with @error set if not
 *
 * Since: 1.0
 */
gboolean
vt_client_open_finish (VtClient *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (VT_IS_CLIENT (self), FALSE);
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);

  return g_task_propagate_boolean (G_TASK (result), error);
}

/**
 * vt_client_close_async:
 * @self: a client
 * @cancellable: (nullable): to give up waiting
 * @callback: (scope async): called when the client is closed
 * @user_data: data for @callback
 *
 * Closes the client: its streams end, and the server is told.
 *
 * This takes a few seconds at most, whatever the server does, and keeps the client alive meanwhile.
 * Closing a client that is connecting or reconnecting gives that up at once; then the server, which
 * cannot be told, keeps the ports open for as long as it would wait for the client to come back.
 * Closing one that is closed does nothing. Giving up waiting does not keep the tunnel open.
 *
 * All forwards are set free; after opening the client anew, the application listens anew.
 *
 * Since: 1.0
 */
void
vt_client_close_async (VtClient *self,
                       GCancellable *cancellable,
                       GAsyncReadyCallback callback,
                       gpointer user_data)
{
  g_autoptr(GTask) task = NULL;

  g_return_if_fail (VT_IS_CLIENT (self));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (task, vt_client_close_async);
  g_ptr_array_add (self->closings, g_object_ref (task));
  if (self->tunnel == NULL)
    {
      close_at_once (self);
      return;
    }
  if (cancellable != NULL)
    g_task_set_task_data (task, vt_source_watch_cancellable (cancellable, close_cancelled_cb, task),
                          vt_source_destroy);
  vt_client_give_up_session (self, NULL);
}

/**
 * vt_client_close_finish:
 * @self: a client
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Finishes [method@Vt.Client.close_async].
 *
 * Returns: %TRUE if the client is closed; %FALSE with `G_IO_ERROR_CANCELLED` if the call was
 *   cancelled
 *
 * Since: 1.0
 */
gboolean
vt_client_close_finish (VtClient *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (VT_IS_CLIENT (self), FALSE);
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);

  return g_task_propagate_boolean (G_TASK (result), error);
}
