#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "wire/api_group.h"
#include "wire/http.h"

namespace modelmill {

/// One answered request, for the access log. Views live for the call.
struct AccessRecord {
  std::string_view method;
  std::string_view path;
  int status = 0;
  uint64_t bytes = 0;           // of the reply's body
  int64_t microseconds = 0;     // from the handler's start to the reply's hand-over to the wire
  std::string_view request_id;  // the client's x-request-id header, else empty
  std::string_view trace_id;    // of its traceparent, else empty
  std::string_view peer;
  bool http2 = false;
  bool tls = false;
};

/// Gives a request to the dialect that owns the first segment of its path ("/v2/models/x" -> "v2"; "/" -> ""). Filled
/// before the server starts, then constant; handle() is thread-safe. Unknown first segments get a 404 with a JSON
/// error.
class HttpRouter {
 public:
  using AccessLog = std::function<void(const AccessRecord&)>;

  /// Which group a request of its segment belongs to; the body is not there yet.
  using GroupOf = std::function<wire::ApiGroup(const wire::HttpRequest&)>;

  /// `segment` without slashes; the empty one is the root path. Each once.
  void add(std::string segment, wire::HttpHandler handler, GroupOf group);
  void add(std::string segment, wire::HttpHandler handler, wire::ApiGroup group) {
    add(std::move(segment), std::move(handler), [group](const wire::HttpRequest&) { return group; });
  }

  /// Who answers OPTIONS of a segment that another has. Each once.
  void add_options(std::string segment, wire::HttpHandler handler, wire::ApiGroup group);

  /// Who answers one path, whole as clients write it, of a segment that another has. Each once.
  void add_path(std::string path, wire::HttpHandler handler, GroupOf group);

  /// Who is asked before all others whether a request is its own, whatever its path. Once.
  void set_front(std::function<bool(const wire::HttpRequest&)> takes, wire::HttpHandler handler, GroupOf group);

  /// Who is asked whether a request is its own that nobody else owns, after those that were added before.
  void add_last(std::function<bool(const wire::HttpRequest&)> takes, wire::HttpHandler handler, GroupOf group);

  /// A dialect owns the paths that begin with it.
  bool has(std::string_view segment) const { return owners_.contains(segment); }

  /// The group of a request; nothing when no one owns its path, which handle() answers with no_such_path().
  std::optional<wire::ApiGroup> group(const wire::HttpRequest& request) const;
  wire::HttpReply no_such_path(const wire::HttpRequest& request) const;

  /// Called on the loop's thread for each answered request; null (the default) costs nothing.
  void set_access_log(AccessLog log) { access_log_ = std::move(log); }

  void handle(std::shared_ptr<wire::HttpExchange> exchange) const;

  /// handle() as the function that wire::Server takes. The router must outlive the server.
  wire::HttpHandler handler() {
    return [this](std::shared_ptr<wire::HttpExchange> exchange) { handle(std::move(exchange)); };
  }

 private:
  struct Owner {
    wire::HttpHandler handler;
    GroupOf group;
  };
  const Owner* owner(const wire::HttpRequest& request) const;

  using Owners = std::map<std::string, Owner, std::less<>>;

  Owners owners_;
  Owners options_owners_;
  Owners path_owners_;
  std::function<bool(const wire::HttpRequest&)> front_takes_;  // null: there is no front
  Owner front_;
  std::vector<std::pair<std::function<bool(const wire::HttpRequest&)>, Owner>> last_;
  AccessLog access_log_;
};

/// The record of a request that is answered with `status` and a body of `bytes`. Its views are of the request.
AccessRecord access_record(const wire::HttpRequest& request, int status, uint64_t bytes);

/// Writes each record to the process's log as the event "access".
void log_access(const AccessRecord& record);

/// The HTTP status that Triton gives for a code (its map: 400 for whatever has no better one), with 429, 499 and 504
/// for what Triton has no code for.
int http_status(Code code);

/// {"error": "<message>"} with http_status(status.code()).
wire::HttpReply error_reply(const Status& status);
wire::HttpReply json_reply(int status, std::string body);

/// The segments of a path, percent-decoded; empty ones are left out. INVALID_ARGUMENT for a broken escape.
Result<std::vector<std::string>> split_path(std::string_view path);

}  // namespace modelmill
