#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace modelmill::description {

/// What a body is. kBinary is V2's JSON, which may have bytes behind it; kTensors is what /predict takes and gives.
enum class Content : uint8_t { kNone, kJson, kText, kHtml, kEvents, kBinary, kTensors, kAny };

/// What a client can do: one method of one path of the server. Names in braces are the path's parameters.
struct Operation {
  std::string_view tag, method, path, summary;
  Content body = Content::kNone;
  Content reply = Content::kJson;
  std::string_view body_schema = {}, reply_schema = {};  // those in schemas.json of what is JSON; empty: any JSON
  bool may_be_later = false;                             // 202 is an answer too: it is done afterwards
};

/// All that every server has, those of one path together.
std::span<const Operation> operations();

/// The one in schemas.json of an operation's errors.
std::string_view error_schema(const Operation& operation);

}  // namespace modelmill::description
