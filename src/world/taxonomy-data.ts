/**
 * The backbone of the world: what kinds there are. One concept per line, children indented below it or listed after a
 * colon; among siblings the more usual ones stand first (that is their frequency rank).
 *
 * A concept's name is its word in the first language. `dog/hound` has the synonym *hound*; `riverbank=bank` is said
 * *bank*, as another concept is: a homonym. Names are unique. Actions are named by the form that text uses, *runs*.
 */
export const TAXONOMY = `
being/creature
  animal/beast
    mammal
      pet: dog/hound cat/kitty rabbit/bunny
      livestock: cow horse sheep pig goat
      predator: wolf bear fox lion
      rodent: mouse rat squirrel
      grazer: deer elephant zebra
      sea-mammal: whale dolphin seal
      bat
    bird
      songbird: sparrow robin nightingale
      raptor: eagle owl hawk
      waterbird: duck goose swan crane
      poultry: hen rooster
    fish
      river-fish: trout carp pike
      sea-fish: shark tuna herring
    reptile
      snake/serpent: viper cobra
      lizard: gecko iguana
    insect/bug
      winged-insect: bee fly butterfly mosquito
      crawling-insect: ant beetle
  person/human
    worker
      healer: doctor/physician nurse dentist
      artisan: carpenter smith potter tailor
      food-maker: cook baker butcher
      country-worker: farmer shepherd gardener hunter
      artist: painter singer dancer poet
      scholar: teacher student scientist
      traveller: driver sailor pilot
      guardian: soldier policeman knight
    relative
      parent: mother/mama father/papa
      child/kid: daughter son baby
      elder: grandmother grandfather
    noble: king queen prince princess
  plant
    tree
      leafy-tree: oak birch willow
      conifer: pine cedar
    flower
      garden-flower: rose tulip
      wild-flower: daisy poppy
    crop: wheat corn rice
thing/object
  artifact
    vehicle
      land-vehicle
        motor-vehicle: car/auto bus truck
        rail-vehicle: train tram
        cart: wagon bicycle
      watercraft
        ship: ferry yacht
        boat: canoe raft
      aircraft: airliner helicopter balloon
    tool
      hand-tool
        cutter: knife axe saw
        striker: hammer club=bat
        garden-tool: shovel rake
        writing-tool: pen brush
      instrument
        string-instrument: guitar violin
        wind-instrument: flute trumpet bugle=horn
        percussion: drum gong
      weapon
        blade: sword dagger
        shooter: bow cannon
      device
        timepiece: clock watch
        light-source: candle lantern torch
        machine: phone derrick=crane
    container
      box: chest crate case=trunk
      cookware: pot pan
      tableware: cup bowl bottle tumbler=glass
      bag: sack basket
    clothing
      headwear: hat crown helmet
      footwear: shoe boot
      garment: coat shirt dress
    furniture
      seat: chair sofa/couch throne
      tabletop: table desk shelf
      bed: cradle hammock
    keepsake
      toy: ball doll
      jewel: ring necklace
      document: book letter map
  food
    fruit
      berry: strawberry grape
      citrus: orange lemon
      orchard-fruit: apple pear
    vegetable
      root-vegetable: carrot potato onion
      greens: cabbage lettuce
    meat
      red-meat: beef pork
      cured-meat: sausage ham
    meal/dish
      hot-dish: soup stew pizza
      dessert: cake pie
      bakery-good: bread bun
    fodder: hay grass acorn
    drink/beverage
      hot-drink: tea coffee cocoa
      cold-drink: milk juice drinking-water=water
      liquor: wine beer
  material
    metal: iron gold silver
    fabric: wool silk leather
    mineral: stone clay pane=glass
    fibre: wood paper
  part
    body-part: head leg tail wing beak fin hand antler=horn snout=trunk
    plant-part: leaf branch root
    vehicle-part: wheel engine
    house-part: roof window door
place/location
  wild-place/wilderness
    land
      highland: mountain hill cliff
      woodland: forest jungle
      plain: meadow desert
    water
      stream: river brook
      still-water: lake pond swamp
      coast: sea beach riverbank=bank
  built-place
    building
      dwelling: house cottage castle palace
      shop: market bakery pharmacy
      institution: school hospital library bank
      workplace: farm workshop factory
    room
      home-room: kitchen bedroom cellar
      public-room: classroom hall
    open-space
      road: street bridge
      greenery: garden park orchard field
      terminal: station harbour airport
action=acts
  behaves
    moves
      steps: walks runs jumps climbs
      flies: glides flutters
      swims: dives floats
      creeps: crawls slithers
    consumes
      eats: chews nibbles
      drinks: sips gulps
    stays
      rests: sleeps sits
      dwells: hides nests
    develops: grows blooms ripens withers
    calls: barks meows moos bleats roars howls chirps quacks hisses buzzes
  works
    handles
      carries: lifts brings
      shifts: pushes pulls throws
      steers: drives rides sails pilots
    makes
      prepares: cooks bakes
      crafts: builds forges sews
      depicts: paints draws writes
      tends: plants waters
    damages
      cuts: slices chops
      breaks: smashes tears
      harms: bites stings kicks
    gets
      obtains: finds buys steals
      keeps: owns wears
  experiences
    perceives
      sees: watches notices
      senses: hears smells tastes
    feels
      likes: loves admires
      dislikes: hates fears
    thinks: knows reads
  socializes
    communicates
      speaks: talks shouts
      claims: says insists
      performs: sings dances plays
    interacts
      helps: feeds washes heals teaches hugs
      gives: sells lends
      fights: attacks chases hunts
      meets: greets visits
  happens: falls rolls burns shines rings stops
property
  physical
    colour
      warm-colour: red yellow brown carrot-colour=orange
      cool-colour: blue green purple
      grey-scale: black white grey
    size
      large-size: big/large huge tall
      small-size: small/little tiny short
    texture: soft hard smooth rough
    temperature: warm cold hot
    condition: new clean dirty broken
  mental
    mood
      good-mood: happy/glad calm proud
      bad-mood: sad angry
    character
      virtue: kind brave clever
      vice: lazy cruel
    state: tired hungry sick strong
  sensory
    flavour: sweet sour salty spicy
    freshness: fresh ripe rotten
    ambience: quiet bright noisy dark
  social
    age: young old ancient
    worth: beautiful precious cheap
  manner
    pace: quickly slowly
    loudness: quietly loudly
    attitude: carefully happily
time
  day-time: morning afternoon evening night
  season: spring summer autumn winter
`;
