/**
 * What follows from being of a kind. Every concept has what its own block says and inherits from all kinds above it.
 *
 * - `does`: actions, with the kinds they can be done to and, after `>`, the kinds of receivers. An action that has kinds of its
 *   own stands for them too (`eats` also allows *chews*), unless marked `!`. The nearest kind that speaks of an action decides.
 * - `never`: actions that are not inherited after all.
 * - `is`: properties. `has`: parts. Both add to what is inherited.
 * - `at`: places, `of`: materials, `holds`: contents. The nearest kind that names any decides.
 *
 * And for actions: `how` they are done adds up; `with` which instruments, `at` which places only: the nearest decides.
 */
export const BEHAVIOUR = `
being
  does: moves!; rests!; perceives! being
  is: size
animal
  does: sees being; sleeps; hides; eats! fodder; drinks drinking-water; fears predator
  is: state colour
  at: wild-place
  has: head
mammal
  does: walks; runs; steps!; senses! animal; hears being; smells food
  is: texture
  at: land
  has: tail
pet
  does: likes relative; chases rodent songbird; eats cured-meat milk; jumps; sits; sleeps; meets! person
  is: mood
  at: home-room dwelling garden
  has: leg
dog
  does: barks; bites worker; hunts rabbit; lifts toy
cat
  does: meows; climbs tree; hunts mouse; hisses; sips milk
rabbit
  does: jumps; eats greens root-vegetable; hides
  at: garden meadow
livestock
  does: eats fodder crop; stays!; likes country-worker
  at: farm field meadow
  has: leg
cow
  does: moos
horse
  does: runs; kicks person; pulls cart; carries person; jumps
sheep
  does: bleats
goat
  does: bleats; climbs; tears clothing document; kicks child
predator
  does: hunts grazer livestock rodent; attacks animal person; eats grazer livestock red-meat; harms! being; roars
  is: strong vice
  at: woodland highland
  has: leg
wolf
  does: howls
bear
  does: climbs tree; likes dessert
fox
  does: steals poultry; hides; creeps!
  at: woodland farm
  is: clever red
lion
  does: roars; fights! predator
  at: meadow desert
rodent
  does: nibbles crop root-vegetable fibre; eats acorn crop; runs; fears pet raptor; hides
  is: small-size
  at: cellar field farm street
  has: leg
squirrel
  does: climbs tree; jumps; steals acorn berry; eats acorn berry
  at: woodland park
grazer
  does: eats grass leaf; runs; drinks! drinking-water; fears lion wolf
  at: plain
  is: large-size
  has: leg
deer
  does: jumps; hides
  at: woodland meadow
  has: antler
elephant
  does: roars; lifts tree; carries! noble; throws branch
  has: snout
sea-mammal
  does: swims; dives; eats sea-fish; likes sailor; dwells!
  never: walks runs
  at: coast
  has: fin
bat
  does: flies; eats winged-insect; hunts mosquito; sleeps
  at: cellar woodland castle
  has: wing leg
bird
  does: flies; nests; eats berry crop insect; chirps
  at: greenery woodland
  has: wing beak leg
songbird
  does: sings; chirps; greets person
  at: garden tree park forest
  is: small-size
raptor
  does: hunts rodent fish snake; attacks rodent songbird; watches rodent; glides; eats rodent fish
  at: highland forest
  is: strong
waterbird
  does: swims; dives; hunts river-fish; floats; eats river-fish
  at: still-water stream
duck
  does: quacks
poultry
  does: walks; eats crop grass; fears fox; calls!
  never: flies glides flutters hunts
  at: farm garden
fish
  does: swims; eats insect; dives; hides
  never: hears sleeps drinks
  has: fin tail
  at: water
river-fish
  does: eats winged-insect; jumps; fears waterbird
  at: stream still-water
  is: small-size
sea-fish
  does: eats fish; hunts fish; floats
  at: sea
shark
  does: attacks sailor; bites person; hunts seal
  is: cruel
reptile
  does: creeps; eats insect; rests
  is: rough cold
  at: desert swamp jungle
snake
  does: hisses; bites person mammal; slithers; eats rodent
  never: walks
lizard
  does: climbs; runs; chases insect
  has: tail leg
insect
  does: crawls; eats plant-part; rests!
  is: tiny
  at: garden meadow
  never: drinks
  has: leg
winged-insect
  does: flies; buzzes; likes flower; floats
  has: wing
bee
  does: stings person mammal; finds flower; tastes flower
butterfly
  does: flutters; likes garden-flower
  is: beautiful
mosquito
  does: bites person livestock
  at: swamp lake pond
crawling-insect
  does: creeps; lifts leaf; climbs plant; hides
  at: forest cellar garden
ant
  does: carries acorn leaf; builds; shifts! acorn
person
  does: speaks; claims; walks; keeps! keepsake; dislikes insect; feels! thing; eats meal fruit vegetable meat; drinks drink; sees thing place; knows person place; meets person; likes being food keepsake; gives keepsake food > person; gets! artifact food; owns artifact; wears clothing; reads document; carries container keepsake; thinks!; dances; sits; rides cart
  is: mental age
  at: built-place
  has: head hand leg
worker
  does: works!; obtains! tool material; buys food tool; finds tool; sells! artifact > person; makes! artifact
  at: workplace shop
healer
  does: heals person animal; washes child pet; helps person; watches child elder
  at: hospital pharmacy
  is: kind
nurse
  does: feeds baby elder; hugs child
artisan
  does: crafts tool container; shifts material; buys material; breaks! mineral fibre
  at: workshop factory
carpenter
  does: builds furniture house-part building; cuts wood tree
smith
  does: forges blade cutter metal; lifts metal
potter
  does: crafts! tableware; makes! tableware
tailor
  does: sews garment; cuts fabric; washes clothing
food-maker
  does: prepares meal; tastes food; cuts vegetable meat bread; sells food > person; smells meal
  at: kitchen bakery market
cook
  does: cooks hot-dish vegetable meat; sips hot-dish
baker
  does: bakes bakery-good dessert
butcher
  does: chops meat; sells meat > person
country-worker
  does: tends plant; feeds livestock poultry; drives land-vehicle; lifts fodder crop; walks
  at: farm field meadow
farmer
  does: plants crop vegetable; sells crop livestock > food-maker; owns livestock
shepherd
  does: watches sheep goat; feeds sheep; plays flute; chases wolf
gardener
  does: waters flower tree; plants flower; admires flower
  at: garden park orchard
hunter
  does: hunts grazer predator waterbird; chases mammal; creeps!
  at: woodland highland
artist
  does: performs instrument; admires being place; shouts; depicts being
  at: hall park street
  is: clever lazy
painter
  does: paints being place thing; draws being place
singer
  does: sings; plays string-instrument
  never: depicts
dancer
  does: dances; jumps
  never: depicts
poet
  does: writes document; loves princess queen flower; sleeps
scholar
  does: reads document; teaches child student; writes document; knows thing being
  at: school library classroom
  is: clever
teacher
  does: teaches child student; greets student; claims
scientist
  does: watches animal plant; draws plant insect; knows animal plant
traveller
  does: steers vehicle; visits place; carries! person; sees place; rides vehicle
  at: terminal road
driver
  does: drives motor-vehicle rail-vehicle
sailor
  does: sails watercraft; swims; hates shark
  at: coast harbour
pilot
  does: pilots aircraft; flies
  at: airport
guardian
  does: fights! worker predator; chases person; watches building; helps person; shouts; owns weapon
  at: street castle bank
  is: brave strong
soldier
  does: attacks guardian; wears helmet; climbs house-part
policeman
  does: stops vehicle; helps elder child; drives car
knight
  does: rides horse; fights predator guardian; loves princess queen; wears helmet
relative
  does: loves relative; hugs relative; visits relative; eats! dessert
  at: dwelling home-room garden
  is: mood
parent
  does: feeds child pet; washes child tableware clothing; cooks hot-dish; teaches child; buys clothing toy food; carries child
child
  does: plays; runs; finds toy insect; throws toy; breaks toy tableware; likes dessert toy pet; fears predator insect; jumps
  is: small-size young
baby
  does: sleeps; sips milk; chews toy
  never: communicates works knows reads dances walks runs meets gives
elder
  does: sits; sleeps; teaches child; hears songbird; gives dessert toy > child; sips hot-drink
  is: old
noble
  does: steals jewel; owns building jewel woodland; loves noble; wears crown jewel; gives jewel metal > guardian artist; helps! country-worker; rides horse; shouts; sits
  at: palace castle
  is: proud beautiful
plant
  does: grows; withers
  never: moves rests perceives
  is: colour freshness
  at: wild-place greenery
  has: root leaf
tree
  does: falls; burns
  is: large-size old ancient
  at: woodland park highland
  has: branch
leafy-tree
  does: blooms; withers
conifer
  at: highland woodland
flower
  does: blooms; smells!
  is: beautiful
  at: garden meadow park
crop
  does: ripens; grows
  at: field farm
thing
  does: falls
  is: big small tiny huge
artifact
  does: burns
  is: condition worth colour
  of: iron wood
  at: market dwelling
vehicle
  does: moves!; stops; carries person
  at: open-space
  never: burns
land-vehicle
  does: rolls; carries! artifact fodder
  at: road
  has: wheel
  is: noisy
motor-vehicle
  does: runs; burns
  has: engine
  at: street bridge
  of: iron leather
rail-vehicle
  does: rings
  at: station bridge
  has: engine door window
  of: iron
cart
  does: rolls
  at: farm street field
  of: wood
watercraft
  does: floats; moves!
  at: water harbour
  of: wood
  is: quiet
ship
  has: engine window
  at: sea harbour
  of: iron wood
boat
  at: stream still-water
  is: small-size
aircraft
  does: flies; shines
  at: airport
  has: engine wing window
  of: iron silver
balloon
  does: floats
  never: shines
  of: silk fabric
tool
  does: breaks!
  at: workshop
hand-tool
  is: dirty
  at: workshop farm factory
cutter
  does: cuts! fibre vegetable bakery-good
  of: iron silver
striker
  does: smashes mineral container; harms! 
  of: iron wood stone
garden-tool
  at: garden farm orchard
writing-tool
  does: draws; writes
  at: classroom library bank
  is: colour small-size
  of: wood silver
instrument
  does: plays
  at: hall
  is: noisy beautiful
string-instrument
  of: wood
wind-instrument
  of: silver wood gold
percussion
  does: rings
  at: hall street castle
  of: leather iron wood
weapon
  does: harms! being
  at: castle
  is: ancient
blade
  does: cuts! being; shines
  of: iron silver gold
shooter
  does: breaks! building
  of: iron wood
device
  at: home-room bank
  is: cheap
timepiece
  does: rings; stops
  of: gold silver
light-source
  does: shines; burns
  is: bright warm
  at: cellar hall bedroom
machine
  does: works!; stops; rings
  is: noisy
  of: iron pane
derrick
  does: lifts material vehicle
  at: harbour factory
container
  does: falls
  holds: food
  at: home-room market
box
  holds: clothing tool document keepsake
  of: wood iron
  at: cellar bedroom
cookware
  does: cooks! meal; falls
  holds: hot-dish vegetable
  of: iron clay
  at: kitchen
  is: hot
tableware
  does: smashes!; falls
  holds: drink
  of: pane clay silver
  at: kitchen hall
bag
  holds: fruit vegetable document toy
  of: leather wool
  at: market farm street
clothing
  is: texture short
  of: fabric
  at: bedroom market
headwear
  of: wool leather silk
helmet
  of: iron
crown
  does: shines
  of: gold silver
  at: palace castle
footwear
  of: leather wood
garment
  is: colour
  of: wool silk
furniture
  of: wood
  at: home-room dwelling
  is: texture
seat
  at: hall bedroom classroom kitchen
  of: wood leather
throne
  at: palace castle
  of: gold stone
tabletop
  holds: tableware document light-source bakery-good
  at: kitchen classroom library
bed
  holds: baby pet clothing
  at: bedroom hospital
  is: soft warm
keepsake
  does: shines
  at: bedroom market
  is: precious
toy
  does: falls; rolls
  at: bedroom garden school
  of: wood wool
  never: shines
ball
  does: rolls; jumps; flies!
  of: leather
jewel
  does: shines
  of: gold silver
  at: palace bank market
document
  does: burns
  never: shines
  at: library school bank
  of: paper
  is: ancient
food
  is: flavour temperature
  at: kitchen market
fruit
  does: ripens; falls
  is: freshness sweet sour colour
  at: orchard market kitchen
berry
  at: forest garden market
  is: small-size red
citrus
  is: sour yellow
  at: orchard market
orchard-fruit
  does: ripens; grows
  at: orchard
vegetable
  does: grows; ripens
  is: freshness colour
  at: market garden kitchen field
root-vegetable
  is: hard dirty
greens
  is: green
  does: withers
meat
  does: burns
  is: salty freshness
  at: kitchen market
cured-meat
  is: spicy cheap
meal
  does: smells!
  is: temperature
hot-dish
  is: hot salty spicy
  at: kitchen
dessert
  is: sweet
  at: bakery kitchen
bakery-good
  is: soft fresh
  at: bakery market
fodder
  is: green
  at: farm meadow
  does: grows
acorn
  at: forest park
drink
  is: temperature
  never: falls
  at: kitchen
hot-drink
  is: hot sour
  at: kitchen hall
cold-drink
  is: cold sweet
liquor
  is: sour precious
  at: cellar hall
material
  is: texture worth
  at: workshop factory market
metal
  does: shines; rings
  is: hard
fabric
  is: soft warm
  does: burns
mineral
  is: hard rough
  does: breaks!
  at: highland workshop beach
fibre
  does: burns; floats
  is: soft
part
  is: condition texture
place
  is: ambience
wild-place
  is: beautiful
land
  is: rough huge
highland
  is: tall ancient cold
woodland
  is: dark green
plain
  is: warm
water
  does: moves!
  is: temperature blue
stream
  does: runs; sings
  is: clean
still-water
  is: calm quiet
coast
  is: salty noisy
built-place
  is: condition
building
  is: age size
  of: stone wood
  has: house-part
dwelling
  is: warm
shop
  is: noisy clean
institution
  is: quiet large-size
  of: stone
workplace
  is: noisy dirty
room
  is: clean dirty small-size
  has: window door
home-room
  is: warm
public-room
  is: large-size noisy
open-space
  is: bright
road
  is: dirty
  of: stone
greenery
  is: green beautiful
terminal
  is: noisy
action
moves
  how: pace
swims
  at: water
steers
  how: pace carefully
  at: open-space farm field
sails
  at: sea lake river harbour
pilots
  at: airport
flies
  how: quietly
creeps
  how: slowly quietly
eats
  how: pace happily
stays
  how: quietly
calls
  how: loudness
works
  how: attitude
handles
  how: slowly carefully
prepares
  with: cookware
  at: kitchen bakery dwelling palace
crafts
  with: hand-tool
  at: workplace dwelling
forges
  with: striker
depicts
  with: writing-tool
tends
  at: greenery farm land
  with: garden-tool
damages
  how: quickly
cuts
  with: cutter
breaks
  with: striker
fights
  with: weapon
  how: quickly
perceives
  how: quietly
feels
  how: happily
helps
  how: carefully happily
communicates
  how: loudness happily
nests
  at: greenery woodland land dwelling
buys
  at: shop
sells
  at: shop farm
`;
