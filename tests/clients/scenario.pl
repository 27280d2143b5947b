# What programs do with Perl's OpenAPI::Client: it reads our description and makes its methods of it.
#
#     perl tests/clients/scenario.pl ADDRESS KEY OPEN_ADDRESS
#
# ADDRESS is a server that takes KEY, OPEN_ADDRESS one that was never given a key.
use strict;
use warnings;
use Mojo::URL;
use OpenAPI::Client;

my ($address, $key, $open_address) = @ARGV;
my ($passed, $failed) = (0, 0);
$| = 1;

# Print whether a claim is true; a failure does not end the scenario.
sub check {
    my ($claim, $act) = @_;
    if (eval { $act->(); 1 }) {
        $passed++;
        print "  ok    $claim\n";
    }
    else {
        $failed++;
        print "  FAIL  $claim\n        $@\n";
    }
}

sub same {
    my ($got, $expected) = map { defined $_ ? $_ : 'undef' } @_;
    die "got '$got', expected '$expected'\n" if $got ne $expected;
}

sub client_of {
    my ($where, $shown) = @_;
    my $client = OpenAPI::Client->new("$where/openapi.json?version=3.0");
    # It takes the address of the API from the document, where it stands beside that of the
    # document itself ("/v1"), which this client does not follow.
    $client->base_url(Mojo::URL->new("$where/v1"));
    $client->ua->on(start => sub {
        my (undef, $tx) = @_;
        $tx->req->headers->authorization("Bearer $shown");
    });
    return $client;
}

# Return the answer to a call, which must have the status 200.
sub answer {
    my ($tx) = @_;
    same($tx->res->code, 200);
    return $tx->res->json;
}

my ($client, $thread, $message);
check('OpenAPI::Client reads the description and makes a method of each operation', sub {
    $client = client_of($address, $key);
    my $methods = 0;
    my $paths = $client->validator->get('/paths');
    for my $path (sort keys %$paths) {
        for my $described (grep { ref eq 'HASH' } values %{ $paths->{$path} }) {
            my $id = $described->{operationId} or next;
            die "there is no method $id\n" unless $client->can($id);
            $methods++;
        }
    }
    die "there are only $methods\n" if $methods < 25;
});
check('createThread makes a thread with a message', sub {
    my $body = { messages => [{ role => 'user', content => 'Hello' }], metadata => { by => 'perl' } };
    $thread = answer($client->createThread({ body => $body }));
    same($thread->{object}, 'thread');
    same($thread->{metadata}{by}, 'perl');
});
check('createThread needs no body', sub {
    same(answer($client->call('createThread'))->{object}, 'thread');
});
check('getThread reads it', sub {
    same(answer($client->getThread({ thread_id => $thread->{id} }))->{id}, $thread->{id});
});
check('modifyThread changes it', sub {
    my %change = (thread_id => $thread->{id}, body => { metadata => { state => 'open' } });
    my $changed = answer($client->modifyThread(\%change));
    same(join(',', sort keys %{ $changed->{metadata} }), 'by,state');
});
check('listMessages pages through its messages', sub {
    my %query = (thread_id => $thread->{id}, limit => 1, order => 'asc');
    my $page = answer($client->listMessages(\%query));
    same($page->{data}[0]{content}[0]{text}{value}, 'Hello');
    same($page->{has_more} ? 'more' : 'all', 'all');
});
check('createMessage appends one', sub {
    my %said = (role => 'user', content => 'And goodbye');
    $message = answer($client->createMessage({ thread_id => $thread->{id}, body => \%said }));
    same($message->{content}[0]{text}{value}, 'And goodbye');
});
check('createRun answers, and getRun sees it end', sub {
    my $assistant = answer($client->createAssistant({ body => { model => 'weft-demo' } }));
    my %asked = (thread_id => $thread->{id}, body => { assistant_id => $assistant->{id} });
    my $run = answer($client->createRun(\%asked));
    my $deadline = time + 30;
    while ($run->{status} =~ /^(queued|in_progress)$/ and time < $deadline) {
        $run = answer($client->getRun({ thread_id => $thread->{id}, run_id => $run->{id} }));
    }
    same($run->{status}, 'completed');
});
check('a body that is not lawful is refused before it is sent', sub {
    my $tx = $client->createThread({ body => { messages => [{ content => 'x' }] } });
    same($tx->res->code, 400);
    same($tx->res->headers->header('x-request-id'), undef);
    die "it does not name the role\n" unless $tx->res->body =~ /role/;
});
check('what the server refuses comes as its error', sub {
    my $tx = $client->getThread({ thread_id => 'thread_nobody' });
    same($tx->res->code, 404);
    same($tx->res->json->{error}{type}, 'invalid_request_error');
});
check('deleteThread removes it', sub {
    same(answer($client->deleteThread({ thread_id => $thread->{id} }))->{deleted} ? 1 : 0, 1);
    same($client->getThread({ thread_id => $thread->{id} })->res->code, 404);
});
check('a wrong key is refused', sub {
    same(client_of($address, 'sk-weft-wrong')->createThread->res->code, 401);
});
check('a server without keys takes any key from this machine', sub {
    same(answer(client_of($open_address, 'anything')->createThread)->{object}, 'thread');
});

print "$passed passed, $failed failed\n";
exit($failed || !$passed ? 1 : 0);
