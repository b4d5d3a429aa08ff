#include "dialect/kserve_v2/log_settings_codec.h"

#include <simdjson.h>

#include <limits>
#include <string>
#include <string_view>

#include "base/json_text.h"
#include "dialect/http_router.h"
#include "dialect/json_input.h"
#include "dialect/kserve_v2/grpc_control.h"
#include "dialect/kserve_v2/http_answers.h"
#include "dialect/method_check.h"
#include "dialect/unary_proto.h"
#include "grpc_service.pb.h"

namespace modelmill::kserve_v2 {
namespace {

namespace dom = simdjson::dom;
using inference::LogSettingsRequest;
using inference::LogSettingsResponse;

Status expected(const char* type, std::string_view name) {
  return invalid_argument(std::string("expect ") + type + " for '" + std::string(name) + "'");
}

/// One member of the JSON; null leaves a setting as it is, and so does a name that Triton doesn't know either.
Status set_member(std::string_view name, dom::element value, LogSettings::Change& change) {
  if (value.is_null()) return ok_status();
  if (name == "log_file") return log_file_refused();
  std::optional<bool>* const flag = name == "log_info"      ? &change.info
                                    : name == "log_warning" ? &change.warning
                                    : name == "log_error"   ? &change.error
                                                            : nullptr;
  if (flag != nullptr) {
    bool on = false;
    if (value.get_bool().get(on) != simdjson::SUCCESS) return expected("boolean", name);
    *flag = on;
  } else if (name == "log_verbose_level") {
    uint64_t level = 0;
    if (value.get_uint64().get(level) != simdjson::SUCCESS || level > std::numeric_limits<int32_t>::max())
      return expected("a number that is not negative", name);
    change.verbose_level = static_cast<uint32_t>(level);
  } else if (name == "log_format") {
    std::string_view format;
    if (value.get_string().get(format) != simdjson::SUCCESS) return expected("string", name);
    change.format = std::string(format);
  }
  return ok_status();
}

Status apply_json(const Bytes& body, LogSettings& settings) {
  if (body.empty()) return ok_status();
  const ThreadJsonParser parser;
  const auto document = parse_json(*parser, body.view(), readable_from(body));
  if (!document.ok()) return document.status().with_context("failed to parse the request JSON buffer");
  dom::object members;
  if (document->get_object().get(members) != simdjson::SUCCESS)
    return invalid_argument("failed to parse the request JSON buffer: expected an object with log settings");
  LogSettings::Change change;
  for (const auto& [name, value] : members) MM_RETURN_IF_ERROR(set_member(name, value, change));
  return settings.apply(change);
}

Status read_flag(const LogSettingsRequest& request, const char* name, std::optional<bool>& flag) {
  const auto found = request.settings().find(name);
  if (found == request.settings().end()) return ok_status();
  if (found->second.parameter_choice_case() != LogSettingsRequest::SettingValue::kBoolParam)
    return expected("boolean", name);
  flag = found->second.bool_param();
  return ok_status();
}

Status apply_message(const LogSettingsRequest& request, LogSettings& settings) {
  using Value = LogSettingsRequest::SettingValue;
  if (request.settings().contains("log_file")) return log_file_refused();
  LogSettings::Change change;
  MM_RETURN_IF_ERROR(read_flag(request, "log_info", change.info));
  MM_RETURN_IF_ERROR(read_flag(request, "log_warning", change.warning));
  MM_RETURN_IF_ERROR(read_flag(request, "log_error", change.error));
  if (const auto found = request.settings().find("log_verbose_level"); found != request.settings().end()) {
    if (found->second.parameter_choice_case() != Value::kUint32Param) return expected("int32", found->first);
    change.verbose_level = found->second.uint32_param();
  }
  if (const auto found = request.settings().find("log_format"); found != request.settings().end()) {
    if (found->second.parameter_choice_case() != Value::kStringParam) return expected("string", found->first);
    change.format = found->second.string_param();
  }
  return settings.apply(change);
}

}  // namespace

wire::HttpReply answer_log_settings(LogSettings& settings, const wire::HttpRequest& request) {
  if (request.method != "GET" && request.method != "POST") return wrong_method("GET, POST");
  if (request.method == "POST")
    if (const Status status = apply_json(request.body, settings); !status.ok()) return error_reply(status);
  const LogSettings::Values now = settings.values();
  JsonWriter json;
  json.begin_object().field("log_file", "").field("log_info", now.info).field("log_warning", now.warning);
  json.field("log_error", now.error).field("log_verbose_level", uint64_t{now.verbose_level});
  json.field("log_format", now.format).end_object();
  return json_reply(200, json.take());
}

void add_log_settings_method(wire::GrpcMethods& methods, const std::shared_ptr<LogSettings>& settings) {
  add_unary<LogSettingsRequest>(methods, wire::ApiGroup::kManagement, method_path("LogSettings"),
                                [settings](const LogSettingsRequest& request) -> Result<LogSettingsResponse> {
                                  MM_RETURN_IF_ERROR(apply_message(request, *settings));
                                  const LogSettings::Values now = settings->values();
                                  LogSettingsResponse response;
                                  auto& out = *response.mutable_settings();
                                  out["log_file"].set_string_param("");
                                  out["log_info"].set_bool_param(now.info);
                                  out["log_warning"].set_bool_param(now.warning);
                                  out["log_error"].set_bool_param(now.error);
                                  out["log_verbose_level"].set_uint32_param(now.verbose_level);
                                  out["log_format"].set_string_param(now.format);
                                  return response;
                                });
}

}  // namespace modelmill::kserve_v2
