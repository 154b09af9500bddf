/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-server-private.h"

#include <glib/gi18n-lib.h>
#include "vt-error.h"

#include "vt-source-private.h"

gboolean
vt_server_check_running (VtServer *self, GError **error)
{
  if (self->phase == VT_SERVER_RUNNING)
    return TRUE;
  g_set_error_literal (error, VT_ERROR, VT_ERROR_SHUTTING_DOWN, _ ("The server is closing"));
  return FALSE;
}

static void
take_leave (VtServer *self)
{
  g_autoptr(GPtrArray) all = vt_server_list_work (self);

  self->phase = VT_SERVER_CLOSING;
  vt_timer_stop (self->drain);
  vt_front_stop (self->front);
  vt_host_front_stop (self->host_front);
  vt_server_turn_away_arrivals (self);
  /* Each ends in a later dispatch. */
  for (unsigned int i = 0; i < all->len; i++)
    vt_server_session_close (all->pdata[i], SOUP_WEBSOCKET_CLOSE_GOING_AWAY, "shutting down");
}

void
vt_server_check_closed (VtServer *self)
{
  g_autoptr(GPtrArray) closes = NULL;

  if (self->front == NULL || self->phase == VT_SERVER_RUNNING || g_hash_table_size (self->work) > 0)
    return;
  take_leave (self);
  self->phase = VT_SERVER_RUNNING;
  closes = g_steal_pointer (&self->closes);
  self->closes = g_ptr_array_new_with_free_func (g_object_unref);
  for (unsigned int i = 0; i < closes->len; i++)
    g_task_return_boolean (g_ptr_array_index (closes, i), TRUE);
}

static void
drain_over_cb (void *user_data)
{
  g_autoptr(VtServer) self = g_object_ref (user_data);

  take_leave (self);
}

VtTimer *
vt_server_new_drain_timer (VtServer *self)
{
  return vt_timer_new (self->clock, "server drain", drain_over_cb, self);
}

static gboolean
cancelled_cb (GCancellable *cancellable, gpointer user_data)
{
  g_autoptr(GTask) task = g_object_ref (user_data);
  VtServer *self = g_task_get_source_object (task);

  if (g_ptr_array_remove (self->closes, task))
    g_task_return_error_if_cancelled (task);
  return G_SOURCE_REMOVE;
}

static void
add_waiting (VtServer *self, GTask *task)
{
  GCancellable *cancellable = g_task_get_cancellable (task);

  if (cancellable != NULL)
    g_task_set_task_data (task, vt_source_watch_cancellable (cancellable, cancelled_cb, task),
                          vt_source_destroy);
  g_ptr_array_add (self->closes, task);
}

/* The sooner of two ends counts. */
static void
set_drain_end (VtServer *self, unsigned int timeout)
{
  gint64 delay = (gint64) timeout * G_TIME_SPAN_SECOND;
  gint64 end = vt_clock_get_time (self->clock) + delay;

  if (vt_timer_is_running (self->drain) && self->drain_end <= end)
    return;
  self->drain_end = end;
  vt_timer_start (self->drain, delay);
}

static void
begin_draining (VtServer *self, unsigned int timeout)
{
  g_autoptr(GPtrArray) all = vt_server_list_work (self);

  self->phase = VT_SERVER_DRAINING;
  vt_host_front_stop (self->host_front);
  for (unsigned int i = 0; i < all->len; i++)
    if (vt_server_has_work (self, all->pdata[i]))
      vt_server_session_drain (all->pdata[i], timeout);
}

/**
 * vt_server_drain_async:
 * @self: a server
 * @timeout: how many seconds open streams have to finish
 * @cancellable: (nullable): a cancellable
 * @callback: (scope async) (closure user_data): called when the server is closed
 * @user_data: data for @callback
 *
 * Closes the server as [method@Vt.Server.close_async] does, but lets the open streams finish first.
 *
 * New clients and new users are turned away: the ports of all clients are closed, and the clients
 * are told. Each client's session is closed when the last of its streams has ended, and whatever is
 * left when @timeout is over. The server's own ports stay open that long, for a client that has
 * lost its connection: it may come back to its streams.
 *
 * Another call while the server drains only waits, but the sooner end counts;
 * [method@Vt.Server.close_async] ends it at once. Afterwards the server can listen again.
 * Cancelling ends only the waiting, not the draining.
 *
 * Since: 1.0
 */
void
vt_server_drain_async (VtServer *self,
                       unsigned int timeout,
                       GCancellable *cancellable,
                       GAsyncReadyCallback callback,
                       gpointer user_data)
{
  g_autoptr(VtServer) alive = NULL;
  GTask *task;

  g_return_if_fail (VT_IS_SERVER (self));
  g_return_if_fail (self->front != NULL);
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  alive = g_object_ref (self);
  task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (task, vt_server_drain_async);
  add_waiting (self, task);
  if (self->phase != VT_SERVER_CLOSING)
    set_drain_end (self, timeout);
  if (self->phase == VT_SERVER_RUNNING)
    begin_draining (self, timeout);
  vt_server_check_closed (self);
}

/**
 * vt_server_drain_finish:
 * @self: a server
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Finishes what [method@Vt.Server.drain_async] began.
 *
 * Returns: %TRUE once the server is closed, or %FALSE with %G_IO_ERROR_CANCELLED if the waiting was
 *   cancelled
 *
 * Since: 1.0
 */
gboolean
vt_server_drain_finish (VtServer *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (VT_IS_SERVER (self), FALSE);
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);

  return g_task_propagate_boolean (G_TASK (result), error);
}

/**
 * vt_server_close_async:
 * @self: a server
 * @cancellable: (nullable): a cancellable
 * @callback: (scope async) (closure user_data): called when the server is closed
 * @user_data: data for @callback
 *
 * Closes the server's ports, leaves the HTTP servers that it is attached to, and ends all sessions.
 *
 * Clients are told that the server shuts down; those that do not answer are cut off after 5
 * seconds. Afterwards the server can listen again. Cancelling ends only the waiting, not the
 * closing.
 *
 * Since: 1.0
 */
void
vt_server_close_async (VtServer *self,
                       GCancellable *cancellable,
                       GAsyncReadyCallback callback,
                       gpointer user_data)
{
  GTask *task;

  g_return_if_fail (VT_IS_SERVER (self));
  g_return_if_fail (self->front != NULL);
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (task, vt_server_close_async);
  add_waiting (self, task);
  take_leave (self);
  vt_server_check_closed (self);
}

/**
 * vt_server_close_finish:
 * @self: a server
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Finishes what [method@Vt.Server.close_async] began.
 *
 * Returns: %TRUE once the server is closed, or %FALSE with %G_IO_ERROR_CANCELLED if the waiting was
 *   cancelled
 *
 * Since: 1.0
 */
gboolean
vt_server_close_finish (VtServer *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (VT_IS_SERVER (self), FALSE);
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);

  return g_task_propagate_boolean (G_TASK (result), error);
}
