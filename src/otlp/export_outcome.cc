#include "otlp/export_outcome.h"

#include <algorithm>
#include <cctype>
#include <charconv>

#include "base/utf8.h"
#include "otlp/export_message.h"

namespace modelmill {
namespace {

using std::chrono::milliseconds;

/// Of Retry-After in seconds; a date is passed over.
std::optional<milliseconds> asked_pause(const ClientReply& reply) {
  const std::string_view text = reply.header("retry-after");
  int64_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || end != text.data() + text.size() || seconds < 0) return std::nullopt;
  return milliseconds(1'000 * std::min<int64_t>(seconds, 3'600));
}

/// Any web server may answer 200, with a page of its own.
std::string doubt_about(const ClientReply& reply) {
  std::string type(reply.header("content-type"));
  type.resize(std::min(type.find(';'), type.size()));
  while (type.ends_with(' ')) type.pop_back();
  std::transform(type.begin(), type.end(), type.begin(), [](unsigned char c) { return std::tolower(c); });
  const bool protobuf = type.empty() || type == "application/x-protobuf" || type == "application/protobuf";
  if (protobuf || reply.body.empty()) return "";
  return "it took them, but answers in '" + as_utf8(type, 100) +
         "' and not in application/x-protobuf; see whether the address is a collector's, with the path that it has "
         "there";
}

}  // namespace

ExportOutcome outcome_of(const Result<ClientReply>& reply) {
  using Kind = ExportOutcome::Kind;
  if (!reply.ok()) {
    const Code code = reply.status().code();
    const bool passes = code == Code::kUnavailable || code == Code::kDeadlineExceeded;
    return {passes ? Kind::kTryAgain : Kind::kRefused, 0, reply.status().message()};
  }
  if (reply->status / 100 == 2) {
    std::string doubt = doubt_about(*reply);
    if (!doubt.empty()) return {Kind::kTaken, 0, "", std::move(doubt)};
    ExportReply said = read_export_reply(reply->body);
    return {Kind::kTaken, said.rejected, std::move(said.message)};
  }
  ExportOutcome outcome{Kind::kRefused, 0, "it answered " + std::to_string(reply->status)};
  for (const int passing : {429, 502, 503, 504})
    if (reply->status == passing) {
      outcome.kind = Kind::kTryAgain;
      outcome.pause = asked_pause(*reply);
    }
  return outcome;
}

std::optional<milliseconds> pause_after(int attempts, const ExportOutcome& outcome, milliseconds first, double chance) {
  if (outcome.kind != ExportOutcome::Kind::kTryAgain || attempts >= kMostAttempts) return std::nullopt;
  if (outcome.pause) {
    if (*outcome.pause > kLongestPause) return std::nullopt;
    return outcome.pause;
  }
  double pause = static_cast<double>(first.count());
  for (int i = 1; i < attempts; ++i) pause *= 1.5;
  return std::min(milliseconds(static_cast<int64_t>(pause * (0.5 + chance))), kLongestPause);
}

}  // namespace modelmill
