/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

/* The library from Vala: the same scenarios as test-scenarios.c, in short. */

delegate void Begin (AsyncReadyCallback callback);
delegate void End (AsyncResult result) throws Error;

async void open_pair (out Vt.Server server, out Vt.Client client) throws Error
{
  server = new Vt.Server ();
  server.allow_streams = true;
  server.listen ("127.0.0.1", 0);
  client = new Vt.Client ("ws://127.0.0.1:%u/".printf (server.get_ports ()[0]));
  yield client.open_async (null);
}

async void close_pair (Vt.Server server, Vt.Client client) throws Error
{
  yield client.close_async (null);
  yield server.close_async (null);
  assert (client.state == Vt.ClientState.CLOSED);
}

SocketService new_echo (out uint16 port) throws Error
{
  var service = new SocketService ();

  port = service.add_any_inet_port (null);
  service.incoming.connect ((connection, source) => {
    connection.output_stream.splice_async.begin (connection.input_stream,
                                                 OutputStreamSpliceFlags.NONE, Priority.DEFAULT,
                                                 null, (object, result) => {
      connection.close_async.begin ();
    });
    return true;
  });
  return service;
}

async string exchange (IOStream stream, string text) throws Error
{
  var buffer = new uint8[1000];
  size_t written, read;

  yield stream.output_stream.write_all_async (text.data, Priority.DEFAULT, null, out written);
  yield stream.input_stream.read_all_async (buffer[0:text.length], Priority.DEFAULT, null,
                                            out read);
  yield stream.close_async ();
  return (string) buffer[0:read];
}

async void test_forward () throws Error
{
  Vt.Server server;
  Vt.Client client;
  uint16 port;
  var echo = new_echo (out port);
  var seen = new StringBuilder ();

  yield open_pair (out server, out client);
  client.stream_opened.connect ((stream) => seen.append_printf ("+%u", stream.id));
  client.stream_closed.connect ((stream, error) => seen.append (error == null ? "-" : "!"));
  var forward = new Vt.Forward (0, Vt.Target.parse ("127.0.0.1:%u".printf (port)));
  yield client.listen_async (forward, null);
  assert (forward.state == Vt.ForwardState.LISTENING && forward.bound_port > 0);
  var user = yield new SocketClient ().connect_to_host_async ("127.0.0.1",
                                                              (uint16) forward.bound_port, null);
  assert ((yield exchange (user, "hello")) == "hello");
  SourceFunc? resume = null;
  client.stream_closed.connect (() => {
    if (resume != null)
      resume ();
  });
  if (client.streams.get_n_items () > 0)
    {
      resume = test_forward.callback;
      yield;
      resume = null;
    }
  assert (forward.bytes_sent == 5 && forward.bytes_received == 5);
  yield close_pair (server, client);
  assert (seen.str == "+1-");
  echo.stop ();
  echo.close ();
}

async void test_errors () throws Error
{
  Vt.Server server;
  Vt.Client client;

  yield open_pair (out server, out client);
  server.listen_requested.connect ((session, forward) => false);
  try
    {
      yield client.listen_async (new Vt.Forward (0, null), null);
      assert_not_reached ();
    }
  catch (Vt.Error.PERMISSION_DENIED error)
    {
    }
  yield close_pair (server, client);
}

async void test_no_port () throws Error
{
  Vt.Server server;
  Vt.Client client;
  Vt.Stream? taken = null;
  var forward = (Vt.Forward) Object.new (typeof (Vt.Forward), "listen-kind", Vt.ListenKind.NONE,
                                         "name", "vala");

  yield open_pair (out server, out client);
  forward.incoming.connect ((stream) => {
    taken = stream;
    return true;
  });
  yield client.listen_async (forward, null);
  var session = (Vt.Session) server.sessions.get_item (0);
  var offered = (Vt.Forward) session.forwards.get_item (0);
  assert (offered.name == "vala");
  var stream = yield session.open_stream_async (offered, null, null);
  size_t written;
  yield taken.output_stream.write_all_async ("back".data, Priority.DEFAULT, null, out written);
  assert ((yield exchange (stream, "back")) == "back");
  yield taken.close_async ();
  yield close_pair (server, client);
}

void run (Begin begin, End end)
{
  var loop = new MainLoop ();

  begin ((object, result) => {
    try
      {
        end (result);
      }
    catch (Error error)
      {
        GLib.error ("%s", error.message);
      }
    loop.quit ();
  });
  loop.run ();
}

int main (string[] arguments)
{
  Test.init (ref arguments);
  Test.add_func ("/vala/forward", () => {
    run ((callback) => test_forward.begin (callback), (result) => test_forward.end (result));
  });
  Test.add_func ("/vala/errors", () => {
    run ((callback) => test_errors.begin (callback), (result) => test_errors.end (result));
  });
  Test.add_func ("/vala/no-port", () => {
    run ((callback) => test_no_port.begin (callback), (result) => test_no_port.end (result));
  });
  return Test.run ();
}
