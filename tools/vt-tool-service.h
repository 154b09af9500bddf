/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <gio/gio.h>

/* What systemd, or another service manager that speaks its protocol, is told and has handed over
 * (sd_notify (3), sd_listen_fds (3)). Where there is none, nothing happens; so it is in a build
 * without libsystemd. */
typedef struct _VtToolService VtToolService;

/* Gives a sign of life from the main context, if one is asked for. */
VtToolService *vt_tool_service_new (void);
void           vt_tool_service_free (VtToolService *self);

/* All is there that the command is for. Said once. */
void vt_tool_service_note_ready (VtToolService *self);
/* Before and after something is read again; nothing before it was ready for the first time. */
void vt_tool_service_note_reloading (VtToolService *self);
void vt_tool_service_note_reloaded (VtToolService *self);
void vt_tool_service_note_stopping (VtToolService *self);
/* What it does now takes this long, at most: not to be killed for it before. In seconds. */
void vt_tool_service_ask_for_time (VtToolService *self, unsigned int seconds);
/* A line for `systemctl status`. */
void vt_tool_service_set_status (VtToolService *self, const char *status);

/* The sockets that were handed over, new, of GSocket; NULL if there are none. They can be taken
 * once. Sockets with a name other than this one, or of no kind that can be used, are an error. */
gboolean vt_tool_service_take_sockets (const char *name, GPtrArray **sockets, GError **error);
