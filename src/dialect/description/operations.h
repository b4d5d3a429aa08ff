#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace modelmill::description {

/// What a body is.
enum class Content : uint8_t { kNone, kJson, kText, kHtml, kEvents, kAny };

/// What a client can do: one method of one path of the server. Names in braces are the path's parameters.
struct Operation {
  std::string_view tag, method, path, summary;
  Content body = Content::kNone;
  Content reply = Content::kJson;
};

/// All that every server has, those of one path together.
std::span<const Operation> operations();

}  // namespace modelmill::description
