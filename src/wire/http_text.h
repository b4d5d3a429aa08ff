#pragma once

#include <string>
#include <string_view>

#include "wire/http.h"

namespace modelmill::wire {

/// "OK", "Not Found", ...; "Unknown" for a status that has no name.
std::string_view reason_phrase(int status);

/// The value of a Date header now: text of this thread, renewed each second.
std::string_view http_date();

/// A reply of the wire itself: {"error": "..."}.
HttpReply error_reply(int status, std::string_view message);

/// Whether a header that a handler put on its reply goes out: those that belong to the wire (content-length,
/// connection, transfer-encoding, ...) do not. `name` in any case.
bool reply_header_passes(std::string_view name);

/// `value` with what would end the header line replaced by spaces.
std::string safe_header_value(std::string_view value);

/// A copy in lower case (ASCII).
std::string lower_case(std::string_view text);
/// Equality that ignores the case of ASCII letters; `lower` is in lower case.
bool equals_ignoring_case(std::string_view text, std::string_view lower);

/// Fills path and query from a request target: "/a?b", or "http://host/a?b", or "*".
void split_target(std::string_view target, HttpRequest& request);

/// Whether a reply of that status has a body (1xx, 204 and 304 have none).
inline bool status_has_body(int status) { return status >= 200 && status != 204 && status != 304; }

/// How many bytes of a body stand before the part that is best read to an aligned place: in a V2 request, the JSON in
/// front of the tensors.
size_t bytes_before_tensors(const HttpRequest& request);

/// What comes of a refused request's body is passed over when it is no more than this; a client that would send more
/// is told to stop.
inline constexpr uint64_t kPassedOver = uint64_t{1} << 20;

/// Whether the content-type is gRPC's (and not gRPC-Web's).
bool is_grpc_content_type(std::string_view content_type);

}  // namespace modelmill::wire
