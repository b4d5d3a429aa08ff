# What the server links. Static where Debian has the archive, so that the binary needs little at run time and exports
# nothing that a runtime's own copy could bind to (docs/adr/0005-dependencies.md).
find_package(Threads REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(ZLIB REQUIRED)
find_package(GTest REQUIRED)
set(Protobuf_USE_STATIC_LIBS ON)
find_package(Protobuf 3.21 REQUIRED)

find_path(BOOST_INCLUDE_DIR boost/asio.hpp REQUIRED)
find_library(NGHTTP2_LIBRARY NAMES libnghttp2.a REQUIRED)
find_library(YAML_CPP_LIBRARY NAMES libyaml-cpp.a REQUIRED)
find_library(SIMDJSON_LIBRARY NAMES libsimdjson.a libsimdjson.so REQUIRED)

add_library(mm_asio INTERFACE)
target_include_directories(mm_asio SYSTEM INTERFACE ${BOOST_INCLUDE_DIR})
target_compile_definitions(mm_asio INTERFACE BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_DISABLE_BOOST_COROUTINE)
target_link_libraries(mm_asio INTERFACE Threads::Threads)

add_library(mm_nghttp2 INTERFACE)
target_link_libraries(mm_nghttp2 INTERFACE ${NGHTTP2_LIBRARY})

add_library(mm_simdjson INTERFACE)
target_link_libraries(mm_simdjson INTERFACE ${SIMDJSON_LIBRARY})

add_library(mm_yaml INTERFACE)
target_link_libraries(mm_yaml INTERFACE ${YAML_CPP_LIBRARY})

# Debian's libprotobuf.a needs zlib.
add_library(mm_protobuf INTERFACE)
target_link_libraries(mm_protobuf INTERFACE protobuf::libprotobuf ZLIB::ZLIB)
if(MODELMILL_SANITIZE MATCHES thread)
  target_include_directories(mm_protobuf BEFORE INTERFACE ${PROJECT_SOURCE_DIR}/cmake/tsan)
endif()
