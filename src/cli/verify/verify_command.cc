#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cli/commands.h"
#include "cli/input_text.h"
#include "cli/server_link.h"
#include "cli/verify/verify_report.h"

namespace modelmill {
namespace {

/// One of the two servers.
struct Side {
  BaseUrl url;
  HttpClient::Options options;
};

Result<Side> side_of(const std::string& url, const VerifyCommand& command) {
  Side side;
  MM_ASSIGN_OR_RETURN(side.url, parse_base_url(url));
  side.options.call_timeout = command.timeout;
  side.options.ca_file = command.ca;
  side.options.ca_setting = "--ca";
  return side;
}

/// As many as call at a time.
std::vector<std::unique_ptr<HttpClient>> clients_of(const Side& side, int concurrency) {
  std::vector<std::unique_ptr<HttpClient>> out;
  for (int i = 0; i < concurrency; ++i) out.push_back(std::make_unique<HttpClient>(side.url, side.options));
  return out;
}

std::vector<RecordedRequest> with_token(std::vector<RecordedRequest> requests, const std::string& token) {
  if (token.empty()) return requests;
  for (RecordedRequest& request : requests) {
    std::erase_if(request.headers, [](const auto& header) { return header.first == "authorization"; });
    request.headers.emplace_back("authorization", "Bearer " + token);
  }
  return requests;
}

Result<ClientReply> send(HttpClient& client, const RecordedRequest& request) {
  return client.call(request.method, request.path, request.headers, request.body);
}

/// Asks both servers each request. An error when the first can't be had from one of them: then none can.
Status compare_all(const std::vector<RecordedRequest>& theirs, const std::vector<RecordedRequest>& ours,
                   HttpClient& against, HttpClient& with, const ComparisonRules& rules, VerifyReport& report) {
  for (size_t i = 0; i < theirs.size(); ++i) {
    VerifiedRequest verified{theirs[i].place, theirs[i].method + " " + theirs[i].path, {}, {}};
    const Result<ClientReply> expected = send(against, theirs[i]);
    const Result<ClientReply> got = send(with, ours[i]);
    for (const auto* reply : {&expected, &got}) {
      if (reply->ok()) continue;
      if (i == 0 && reply->status().code() == Code::kUnavailable) return reply->status();
      verified.failure += (verified.failure.empty() ? "" : "; ") + reply->status().message();
    }
    if (verified.failure.empty()) verified.differences = compare_answers(theirs[i].path, *expected, *got, rules);
    report.requests.push_back(std::move(verified));
  }
  return ok_status();
}

}  // namespace

ExitCode run(const VerifyCommand& command) {
  const auto usage = [](const Status& status) { return fail("verify", status, ExitCode::kUsage); };
  const auto against = side_of(command.against, command);
  if (!against.ok()) return usage(against.status());
  const auto with = side_of(command.with, command);
  if (!with.ok()) return usage(with.status());
  const auto token = client_token(command.token_file);
  if (!token.ok()) return usage(token.status());
  const auto text = input_text(command.requests, "name a file with requests, or '-'");
  if (!text.ok()) return usage(text.status());
  const auto theirs = read_requests(*text, command.requests == "-" ? "standard input" : command.requests);
  if (!theirs.ok()) return usage(theirs.status());
  const std::vector<RecordedRequest> ours = with_token(*theirs, *token);

  VerifyReport report;
  report.against = against->url.text();
  report.with = with->url.text();
  const ComparisonRules rules{command.tolerance, {command.ignored.begin(), command.ignored.end()}};
  const auto to_against = clients_of(*against, command.concurrency), to_with = clients_of(*with, command.concurrency);
  if (const Status status = compare_all(*theirs, ours, *to_against[0], *to_with[0], rules, report); !status.ok())
    return fail("verify", status, ExitCode::kUnreachable);
  // In turns, so that what the machine does meanwhile meets both.
  for (int i = 0; i < command.repeat; ++i) {
    measure_speed(*theirs, to_against, report.against_speed);
    measure_speed(ours, to_with, report.with_speed);
  }
  std::fputs((command.json ? verify_json(report) : verify_text(report)).c_str(), stdout);
  return report.all_same() ? ExitCode::kOk : ExitCode::kFailure;
}

}  // namespace modelmill
