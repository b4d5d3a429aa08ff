#include "dialect/kserve_v2/shared_memory_http.h"

#include <simdjson.h>

#include <algorithm>
#include <cstdint>

#include "base/json_text.h"
#include "dialect/http_router.h"
#include "dialect/json_input.h"
#include "dialect/kserve_v2/http_answers.h"
#include "dialect/method_check.h"
#include "wire/grpc_encoding.h"

namespace modelmill::kserve_v2 {
namespace {

namespace dom = simdjson::dom;

wire::HttpReply done(const Status& status) { return status.ok() ? json_reply(200, "") : error_reply(status); }

/// Of no body it is an empty object.
Result<dom::element> read_body(dom::parser& parser, const Bytes& body) {
  const std::string_view text = body.empty() ? std::string_view("{}") : body.view();
  const auto document = parse_json(parser, text, body.empty() ? text.size() : readable_from(body));
  if (!document.ok()) return document.status().with_context("failed to parse the request JSON buffer");
  return *document;
}

/// A number under `key`. Missing it stays as it is, unless it must be there.
Status read_number(dom::element document, std::string_view key, bool required, uint64_t& number) {
  dom::element value;
  if (document.at_key(key).get(value) != simdjson::SUCCESS) {
    if (!required) return ok_status();
    return invalid_argument("Shared memory register request has no '" + std::string(key) + "' field");
  }
  if (value.get_uint64().get(number) == simdjson::SUCCESS) return ok_status();
  return invalid_argument("attempt to access JSON non-unsigned-integer as unsigned-integer: '" + std::string(key) +
                          "' is a number of bytes, not negative");
}

Status add_region(SharedRegions& regions, const std::string& name, const Bytes& body) {
  const ThreadJsonParser parser;
  const auto document = read_body(*parser, body);
  if (!document.ok()) return document.status();
  dom::element value;
  if (document->at_key("key").get(value) != simdjson::SUCCESS)
    return invalid_argument("Shared memory register request has no 'key' field");
  std::string_view key;
  if (value.get_string().get(key) != simdjson::SUCCESS)
    return invalid_argument("attempt to access JSON non-string as string: 'key' is the name of a shared memory object");
  uint64_t offset = 0;
  uint64_t size = 0;
  MM_RETURN_IF_ERROR(read_number(*document, "offset", false, offset));
  MM_RETURN_IF_ERROR(read_number(*document, "byte_size", true, size));
  return regions.add(name, std::string(key), offset, size);
}

Status add_cuda_region(SharedRegions& regions, const std::string& name, const Bytes& body) {
  const ThreadJsonParser parser;
  const auto document = read_body(*parser, body);
  if (!document.ok()) return document.status();
  dom::element value;
  std::string_view base64;
  if (document->at_key("raw_handle").get(value) != simdjson::SUCCESS)
    return invalid_argument("Shared memory register request has no 'raw_handle' field");
  if (value.at_key("b64").get_string().get(base64) != simdjson::SUCCESS)
    return invalid_argument("'raw_handle' must be an object with the handle in base64 as 'b64'");
  const auto handle = wire::base64_decode(base64);
  if (!handle) return invalid_argument("'raw_handle' must be a valid base64 encoded cudaIpcMemHandle_t");
  uint64_t gpu = 0;
  uint64_t size = 0;
  MM_RETURN_IF_ERROR(read_number(*document, "byte_size", true, size));
  MM_RETURN_IF_ERROR(read_number(*document, "device_id", true, gpu));
  return regions.add_cuda(name, *handle, static_cast<int64_t>(std::min<uint64_t>(gpu, INT32_MAX)), size);
}

wire::HttpReply cuda_status(const SharedRegions& regions, const std::string& name) {
  const auto list = regions.list(name, /*on_gpu=*/true);
  if (!list.ok()) return error_reply(list.status());
  JsonWriter json;
  json.begin_array();
  for (const auto& region : *list)
    json.begin_object()
        .field("name", region->name)
        .field("device_id", region->gpu)
        .field("byte_size", region->size)
        .end_object();
  json.end_array();
  return json_reply(200, json.take());
}

wire::HttpReply system_status(const SharedRegions& regions, const std::string& name) {
  const auto list = regions.list(name);
  if (!list.ok()) return error_reply(list.status());
  JsonWriter json;
  json.begin_array();
  for (const auto& region : *list) {
    json.begin_object().field("name", region->name).field("key", region->key);
    json.field("offset", region->offset).field("byte_size", region->size).end_object();
  }
  json.end_array();
  return json_reply(200, json.take());
}

wire::HttpReply answer_system(SharedRegions& regions, const std::string& name, std::string_view action,
                              const wire::HttpRequest& request) {
  if (action == "status") return system_status(regions, name);
  if (action == "unregister") return done(name.empty() ? regions.remove_all() : regions.remove(name));
  // Where it is off nothing of the request matters.
  return done(regions.on() && !name.empty() ? add_region(regions, name, request.body) : regions.add(name, "", 0, 0));
}

wire::HttpReply answer_cuda(SharedRegions& regions, const std::string& name, std::string_view action,
                            const wire::HttpRequest& request) {
  if (action == "status") return cuda_status(regions, name);
  if (action == "unregister")
    return done(name.empty() ? regions.remove_all(/*on_gpu=*/true) : regions.remove(name, /*on_gpu=*/true));
  // Where there are no GPUs nothing of the request matters.
  return done(regions.cuda_on() && !name.empty() ? add_cuda_region(regions, name, request.body)
                                                 : regions.add_cuda(name, "", 0, 0));
}

}  // namespace

wire::HttpReply answer_shared_memory(SharedRegions& regions, std::span<const std::string> path,
                                     const wire::HttpRequest& request) {
  const bool cuda = path[0] == "cudasharedmemory";
  path = path.subspan(1);
  std::string name;
  if (path.size() == 3 && path[0] == "region") {
    name = path[1];
    path = path.subspan(2);
  }
  if (path.size() != 1) return no_such_path();
  const std::string& action = path[0];
  if (action != "status" && action != "register" && action != "unregister") return no_such_path();
  const char* method = action == "status" ? "GET" : "POST";
  if (request.method != method) return wrong_method(method);
  return cuda ? answer_cuda(regions, name, action, request) : answer_system(regions, name, action, request);
}

}  // namespace modelmill::kserve_v2
