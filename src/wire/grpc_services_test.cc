#include <gtest/gtest.h>

#include <atomic>
#include <string>

#include "grpc/health/v1/health.pb.h"
#include "grpc/reflection/v1/reflection.pb.h"
#include "wire/grpc.h"
#include "wire/health_watches.h"
#include "wire/testing/http2_client.h"

namespace modelmill::wire {
namespace {

void no_http(const std::shared_ptr<HttpExchange>& exchange) { exchange->reply(HttpReply::text(404, "text/plain", "")); }

TEST(GrpcServices, HealthsWatchersAreToldAtOnceAndLetGoAtTheEnd) {
  TestServer server(no_http);
  std::atomic<int> status{1};
  const auto watches = add_health_service(server.methods(), [&](std::string_view) { return status.load(); });
  server.start();
  Http2Client client(server.port());
  const auto watch = [&] {
    const int32_t id = client.grpc("/grpc.health.v1.Health/Watch");
    client.data(id, framed(""), true);
    return id;
  };
  const std::string serving = framed("\x08\x01"), not_serving = framed("\x08\x02");
  const int32_t id = watch();
  client.wait_for_body(id, serving.size());
  EXPECT_EQ(client.streams[id].body, serving);
  status = 2;
  watches->look_again();
  client.wait_for_body(id, 2 * serving.size());
  EXPECT_EQ(client.streams[id].body, serving + not_serving);
  EXPECT_FALSE(client.streams[id].ended);
  watches->end();
  EXPECT_EQ(client.wait(id).headers["grpc-status"], "14");
  EXPECT_EQ(client.streams[id].body, serving + not_serving) << "what has not changed is not told again";
  const int32_t late = watch();
  EXPECT_EQ(client.wait(late).headers["grpc-status"], "14");
  EXPECT_EQ(client.streams[late].body, not_serving);
}

TEST(GrpcServices, HealthAndReflection) {
  TestServer server(no_http);
  add_health_service(server.methods(), [](std::string_view service) {
    return service.empty() ? 1 : service == "off" ? 2 : 3;
  });
  add_reflection_service(server.methods());
  server.start();
  Http2Client client(server.port());
  namespace health = ::grpc::health::v1;
  namespace reflection = ::grpc::reflection::v1;
  const auto ask = [&](const char* path, const google::protobuf::MessageLite& request) {
    const int32_t id = client.grpc(path);
    client.data(id, framed(request.SerializeAsString()), true);
    return client.wait(id);
  };
  health::HealthCheckRequest check;
  health::HealthCheckResponse state;
  ASSERT_TRUE(state.ParseFromString(ask("/grpc.health.v1.Health/Check", check).body.substr(5)));
  EXPECT_EQ(state.status(), health::HealthCheckResponse::SERVING);
  check.set_service("off");
  ASSERT_TRUE(state.ParseFromString(ask("/grpc.health.v1.Health/Check", check).body.substr(5)));
  EXPECT_EQ(state.status(), health::HealthCheckResponse::NOT_SERVING);
  check.set_service("what");
  EXPECT_EQ(ask("/grpc.health.v1.Health/Check", check).headers["grpc-status"], "5");
  const int32_t watch = client.grpc("/grpc.health.v1.Health/Watch");
  client.data(watch, framed(check.SerializeAsString()), true);
  client.wait_for_body(watch, 7);
  ASSERT_TRUE(state.ParseFromString(client.streams[watch].body.substr(5)));
  EXPECT_EQ(state.status(), health::HealthCheckResponse::SERVICE_UNKNOWN);
  client.reset(watch);

  const auto reflect = [&](const reflection::ServerReflectionRequest& request) {
    reflection::ServerReflectionResponse response;
    EXPECT_TRUE(response.ParseFromString(
        ask("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", request).body.substr(5)));
    return response;
  };
  reflection::ServerReflectionRequest request;
  request.set_list_services("");
  const auto list = reflect(request).list_services_response();
  ASSERT_EQ(list.service_size(), 3);
  EXPECT_EQ(list.service(0).name(), "grpc.health.v1.Health");
  request.set_file_containing_symbol("grpc.health.v1.Health.Watch");
  EXPECT_EQ(reflect(request).file_descriptor_response().file_descriptor_proto_size(), 1);
  request.set_file_by_filename("grpc/reflection/v1/reflection.proto");
  EXPECT_EQ(reflect(request).file_descriptor_response().file_descriptor_proto_size(), 1);
  request.set_file_by_filename("nope.proto");
  EXPECT_EQ(reflect(request).error_response().error_code(), 5);
  request.set_all_extension_numbers_of_type("grpc.health.v1.HealthCheckRequest");
  EXPECT_EQ(reflect(request).all_extension_numbers_response().base_type_name(), "grpc.health.v1.HealthCheckRequest");
  request.mutable_file_containing_extension()->set_containing_type("x");
  EXPECT_EQ(reflect(request).error_response().error_code(), 5);
}

}  // namespace
}  // namespace modelmill::wire
