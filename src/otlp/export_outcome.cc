#include "otlp/export_outcome.h"

#include <algorithm>
#include <charconv>

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

}  // namespace

ExportOutcome outcome_of(const Result<ClientReply>& reply) {
  using Kind = ExportOutcome::Kind;
  if (!reply.ok()) {
    const Code code = reply.status().code();
    const bool passes = code == Code::kUnavailable || code == Code::kDeadlineExceeded;
    return {passes ? Kind::kTryAgain : Kind::kRefused, 0, reply.status().message(), {}};
  }
  if (reply->status / 100 == 2) {
    ExportReply said = read_export_reply(reply->body);
    return {Kind::kTaken, said.rejected, std::move(said.message), {}};
  }
  ExportOutcome outcome{Kind::kRefused, 0, "it answered " + std::to_string(reply->status), {}};
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
