/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <vtunnel/vt-error.h>

/* The one table of the codes: the word that travels on the wire, for each of VtError. */
const char *vt_error_code_to_word (int code);
gboolean    vt_error_code_from_word (const char *word, int *code);

/* Turns an error of GIO, GnuTLS or libsoup into one of VT_ERROR, keeping its message. An error
 * that is one of VT_ERROR already is copied. `fallback` is used where nothing fits better. */
GError *vt_error_from_platform (const GError *error, VtError fallback);

/* Whether both say the same. Either may be NULL. */
gboolean vt_error_is_same (const GError *error, const GError *other);
