/// Compression as gRPC C++ does it: grpcpp_client ADDRESS CASE gzip|deflate. Cases: unary, client_streaming,
/// server_streaming. Requests are compressed with the algorithm; what comes back is checked byte for byte. How much of
/// it was on the wire is for the caller to see.

#include <grpcpp/grpcpp.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "interop.grpc.pb.h"

namespace {

namespace interop = grpc::testing;

constexpr int kRequestSize = 271'828;
constexpr int kResponseSize = 314'159;

void check(bool ok, const std::string& what) {
  if (ok) return;
  std::fprintf(stderr, "failed: %s\n", what.c_str());
  std::exit(1);
}

void check(const grpc::Status& status) {
  check(status.ok(), "status " + std::to_string(status.error_code()) + ": " + status.error_message());
}

template <typename Response>
void check_payload(const Response& response) {
  check(response.payload().body() == std::string(kResponseSize, '\0'), "the response's payload is another");
}

void unary(interop::TestService::Stub& stub, grpc::ClientContext& context) {
  interop::SimpleRequest request;
  interop::SimpleResponse response;
  request.set_response_size(kResponseSize);
  request.mutable_payload()->set_body(std::string(kRequestSize, '\0'));
  check(stub.UnaryCall(&context, request, &response));
  check_payload(response);
}

void client_streaming(interop::TestService::Stub& stub, grpc::ClientContext& context) {
  interop::StreamingInputCallResponse response;
  const auto writer = stub.StreamingInputCall(&context, &response);
  interop::StreamingInputCallRequest request;
  request.mutable_payload()->set_body(std::string(kRequestSize, '\0'));
  // Compression is each message's own affair: one goes as it is.
  check(writer->Write(request), "first write");
  check(writer->Write(request, grpc::WriteOptions().set_no_compression()), "second write");
  check(writer->Write(request), "third write");
  check(writer->WritesDone(), "end of writes");
  check(writer->Finish());
  check(response.aggregated_payload_size() == 3 * kRequestSize, "the sum of the payloads is another");
}

void server_streaming(interop::TestService::Stub& stub, grpc::ClientContext& context) {
  interop::StreamingOutputCallRequest request;
  request.mutable_payload()->set_body(std::string(kRequestSize, '\0'));
  constexpr int kResponses = 3;
  for (int i = 0; i < kResponses; ++i) request.add_response_parameters()->set_size(kResponseSize);
  const auto reader = stub.StreamingOutputCall(&context, request);
  interop::StreamingOutputCallResponse response;
  int responses = 0;
  for (; reader->Read(&response); ++responses) check_payload(response);
  check(reader->Finish());
  check(responses == kResponses, std::to_string(responses) + " responses");
}

}  // namespace

int main(int argc, char** argv) {
  check(argc == 4, "usage: grpcpp_client ADDRESS CASE gzip|deflate");
  const std::string test = argv[2], algorithm = argv[3];
  const auto stub = interop::TestService::NewStub(grpc::CreateChannel(argv[1], grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  context.set_compression_algorithm(algorithm == "gzip" ? GRPC_COMPRESS_GZIP : GRPC_COMPRESS_DEFLATE);
  if (test == "unary")
    unary(*stub, context);
  else if (test == "client_streaming")
    client_streaming(*stub, context);
  else if (test == "server_streaming")
    server_streaming(*stub, context);
  else
    check(false, "no case '" + test + "'");
  return 0;
}
