// Package mesh is the network between the nodes of a cluster under test: every way from one process to another can be cut, refused,
// delayed or made slow, each direction by itself, while the processes run and without their help.
//
// How: a node dials through the HTTP proxy that its environment names (gRPC honours HTTPS_PROXY with CONNECT). Each node is given a
// proxy of its own, so the port a connection comes in at says whose it is, and the name it asks for says where it goes. Nodes must
// advertise names that are not this machine's: no proxy is asked for loopback addresses.
//
// A flow is all that travels from one node to another, whoever dialed. Where it is cut, nothing is lost that TCP would bring later:
// bytes wait, as do connections being made and the news that a peer is gone, so both sides see a half-open connection. Where it is
// refused, connections are reset and new ones too.
//
// Threading: a Mesh is safe for concurrent use. It owns its goroutines; Close waits for them.
package mesh
