#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "request/infer_response.h"
#include "wire/http.h"

namespace modelmill::kserve_v2 {

/// The parameter in which the code behind a model with an open signature says what goes beside its outputs, a JSON
/// object:
///   {"id": "...", "version": "...", "parameters": {...}, "outputs": [{...}, ...], "headers": {...}, "status": 422}
inline constexpr std::string_view kOpenAnswer = "modelmill_answer";

/// What it said.
struct OpenAnswer {
  /// Names, and values as JSON.
  using Members = std::vector<std::pair<std::string, std::string>>;

  std::string id;       // empty: as the request has it
  std::string version;  // in the place of the number; empty: the number
  Members parameters;
  std::vector<Members> outputs;  // of each output, in their order; fewer: the others have none
  std::vector<std::pair<std::string, std::string>> headers;
  int status = 0;  // of HTTP, for an answer that is an error; 0: its code's

  /// Takes it out of the parameters of a response, where it is.
  static std::optional<OpenAnswer> take(InferResponse& response);
  /// Code with an open signature has given it: all of its answers with outputs say something beside them.
  static bool is(const InferResponse& response) { return response.parameters.find(kOpenAnswer) != nullptr; }

  /// Puts its status, if it is one of an error's, and its headers on a reply.
  void mark(wire::HttpReply& reply, bool failed) const;
};

/// The plain ones of JSON members, as parameters of gRPC; objects and arrays are their text.
Parameters plain_parameters(const OpenAnswer::Members& members);

}  // namespace modelmill::kserve_v2
