/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-session-private.h"

/**
 * vt_session_open_stream_async:
 * @self: a session
 * @forward: a forward of this session, of [property@Vt.Session:forwards]
 * @user_address: (nullable): where the stream is said to come from, or %NULL; only internet
 *   addresses can be told to the client
 * @cancellable: (nullable): to give up
 * @callback: (scope async) (closure user_data): called when the client has answered
 * @user_data: data for @callback
 *
 * Opens a stream to a client, for the application: no port is needed, and no user.
 *
 * It is meant for forwards of the kind %VT_LISTEN_KIND_NONE, and works with others too. The client
 * connects the stream to the forward's target, or hands it to its own application, see
 * [signal@Vt.Forward::incoming]; when it has done so, the stream is the caller's, as described
 * at [class@Vt.Stream]. It counts in all lists from the moment it was asked for, and
 * [signal@Vt.Server::stream-opened] tells of it then.
 *
 * A client that has lost its connection, and may come back, answers when it is there again. There
 * is no other limit of time than that of the client, which gives up its target after 30 seconds.
 *
 * Cancelling, until then, resets the stream.
 *
 * ```c
 * static void
 * stream_opened_cb (GObject *source, GAsyncResult *result, gpointer user_data)
 * {
 *   g_autoptr(GError) error = NULL;
 *   g_autoptr(VtStream) stream =
 *       vt_session_open_stream_finish (VT_SESSION (source), result, &error);
 *
 *   if (stream != NULL)
 *     talk (G_IO_STREAM (stream));
 * }
 * ```
 *
 * Since: 1.0
 */
void
vt_session_open_stream_async (VtSession *self,
                              VtForward *forward,
                              GSocketAddress *user_address,
                              GCancellable *cancellable,
                              GAsyncReadyCallback callback,
                              gpointer user_data)
{
  g_autoptr(GTask) task = NULL;

  g_return_if_fail (VT_IS_SESSION (self));
  g_return_if_fail (VT_IS_FORWARD (forward));
  g_return_if_fail (user_address == NULL || G_IS_SOCKET_ADDRESS (user_address));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (task, vt_session_open_stream_async);
  if (!g_task_return_error_if_cancelled (task))
    vt_session_request_stream (self, forward, user_address, task);
}

/**
 * vt_session_open_stream_finish:
 * @self: a session
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Finishes [method@Vt.Session.open_stream_async].
 *
 * The stream is the caller's: hold it for as long as it is in use, and close it; dropping it before
 * that resets it.
 *
 * Returns: (transfer full): the stream; or %NULL with an error of [error@Vt.Error]: what the client
 *   has said, such as %VT_ERROR_TARGET_REFUSED; %VT_ERROR_TIMED_OUT where it has not answered for
 *   45 s; what ended the session; %VT_ERROR_LIMIT where there are too many streams,
 *   %VT_ERROR_SHUTTING_DOWN while the server drains, %VT_ERROR_CANCELLED where the client does not
 *   listen for the forward (any more) or the session is over. A cancelled call fails with
 *   `G_IO_ERROR_CANCELLED`.
 *
 * Since: 1.0
 */
VtStream *
vt_session_open_stream_finish (VtSession *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (VT_IS_SESSION (self), NULL);
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}
