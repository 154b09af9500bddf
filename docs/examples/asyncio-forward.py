#!/usr/bin/python3
# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""A service that was written with asyncio goes public.

The library works in a GLib main loop. That runs in a thread of its own here, where everything of
the library is made and used; asyncio awaits what becomes of it. They wake each other: none polls.
"""
import asyncio
import sys
import threading
import gi
gi.require_version('Vt', '1')
from gi.repository import Gio, GLib, Vt


class GLibThread:
    """A GLib main loop in a thread; what is called there can be awaited here."""

    def __init__(self):
        self.context = GLib.MainContext()
        self.loop = GLib.MainLoop.new(self.context, False)
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.post(self.loop.quit)
        self.thread.join()

    def run(self):
        self.context.push_thread_default()
        self.loop.run()
        self.context.pop_thread_default()

    def post(self, function):
        """Has it called there, and does not wait."""
        source = GLib.idle_source_new()
        source.set_callback(lambda *_: function() and GLib.SOURCE_REMOVE)
        source.attach(self.context)

    async def call(self, function, *arguments):
        """Calls function (…) there."""
        return await self.answer(lambda settle: settle(lambda: function(*arguments)), None)

    async def finish(self, begin, finish, *arguments):
        """Calls begin (…) there, and finish () when it is done. Can be cancelled."""
        cancellable = Gio.Cancellable()
        return await self.answer(lambda settle: begin(
            *arguments, cancellable, lambda _, result: settle(lambda: finish(result))), cancellable)

    async def answer(self, start, cancellable):
        home = asyncio.get_running_loop()
        future = home.create_future()

        def settle(function):
            try:
                tell, outcome = future.set_result, function()
            except Exception as error:
                tell, outcome = future.set_exception, error
            home.call_soon_threadsafe(lambda: future.cancelled() or tell(outcome))

        self.post(lambda: start(settle))
        try:
            return await future
        except asyncio.CancelledError:
            if cancellable:
                cancellable.cancel()
            raise


async def echo(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionResetError:
        pass                                                    # a user who has gone
    finally:
        writer.close()


async def main(uri):
    service = await asyncio.start_server(echo, '127.0.0.1', 0)
    port = service.sockets[0].getsockname()[1]
    with GLibThread() as glib:
        client = await glib.call(Vt.Client.new, uri)            # ws://127.0.0.1:3001
        forward = Vt.Forward.new(0, Vt.Target.parse(f'127.0.0.1:{port}'))
        await glib.finish(client.open_async, client.open_finish)
        try:
            await glib.finish(client.listen_async, client.listen_finish, forward)
            print('Port', forward.props.bound_port, flush=True)
            await service.serve_forever()
        finally:
            await glib.finish(client.close_async, client.close_finish)


try:
    asyncio.run(main(sys.argv[1]))
except KeyboardInterrupt:
    pass
